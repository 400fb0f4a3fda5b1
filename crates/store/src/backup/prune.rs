//! Deleting backups that are no longer wanted.

use std::collections::{BTreeSet, HashSet};

use anyhow::{Context, bail};
use domain::Timestamp;
use futures::TryStreamExt;
use time::OffsetDateTime;

use super::{Backups, Listed, ROOT, lock};
use crate::Store;

/// How many backups to keep: the newest of each of the last days, weeks, months and years that
/// have one. The newest of all is always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Days.
    pub daily: usize,
    /// Weeks, as ISO counts them.
    pub weekly: usize,
    /// Months.
    pub monthly: usize,
    /// Years.
    pub yearly: usize,
}

/// What pruning did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Names of the backups that are left.
    pub kept: Vec<String>,
    /// Names of those that were deleted.
    pub deleted: Vec<String>,
    /// Objects that no backup needed any more.
    pub objects: usize,
}

impl Backups {
    /// Deletes the backups that `retention` does not keep, then the objects that none has.
    ///
    /// # Errors
    /// If a backup cannot be read: nobody knows then which objects it needs.
    pub async fn prune(&self, store: &Store, retention: Retention) -> anyhow::Result<Pruned> {
        let _lock = lock::take(store).await?;
        let mut manifests = Vec::new();
        for listed in self.list().await? {
            match listed {
                Listed::Readable(manifest) => manifests.push(manifest),
                Listed::Unreadable { id, reason } => bail!(
                    "nothing was deleted, because it is unknown what the backup {id} needs: \
                     {reason}; delete the folder {ROOT}/{id} by hand if it is of no use"
                ),
            }
        }
        let times: Vec<Timestamp> = manifests.iter().map(|it| it.created_at).collect();
        let kept = retention.kept(&times);
        let mut pruned = Pruned::default();
        let mut needed = HashSet::new();
        for (index, manifest) in manifests.iter().enumerate() {
            if kept.contains(&index) {
                needed.extend(manifest.objects.iter().map(|object| object.place.clone()));
                pruned.kept.push(manifest.id.clone());
                continue;
            }
            // First the manifest: half a backup is none.
            let folder = format!("{ROOT}/{}", manifest.id);
            self.blobs.delete(&format!("{folder}/manifest")).await?;
            self.delete_below(&folder, &HashSet::new()).await?;
            pruned.deleted.push(manifest.id.clone());
        }
        pruned.objects = self
            .delete_below(&format!("{ROOT}/objects"), &needed)
            .await?;
        Ok(pruned)
    }

    async fn delete_below(&self, folder: &str, needed: &HashSet<String>) -> anyhow::Result<usize> {
        let mut deleted = 0;
        let mut listed = self.blobs.list(folder);
        while let Some(blob) = listed.try_next().await.context("list")? {
            if !needed.contains(&blob.key) {
                self.blobs.delete(&blob.key).await.context("delete")?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}

/// Names the day, week, month or year that a time is in.
type Bucket = fn(OffsetDateTime) -> (i32, u16);

impl Retention {
    /// Indexes of what is kept of backups made at `times`, newest first.
    fn kept(self, times: &[Timestamp]) -> BTreeSet<usize> {
        let mut kept: BTreeSet<usize> = times.iter().take(1).map(|_| 0).collect();
        let rules: [(usize, Bucket); 4] = [
            (self.daily, |time| (time.year(), time.ordinal())),
            (self.weekly, |time| {
                let (year, week, _) = time.to_iso_week_date();
                (year, week.into())
            }),
            (self.monthly, |time| {
                (time.year(), u8::from(time.month()).into())
            }),
            (self.yearly, |time| (time.year(), 0)),
        ];
        for (count, period) in rules {
            let mut seen = Vec::new();
            for (index, time) in times.iter().enumerate() {
                let period = period(time.date_time());
                if seen.len() < count && !seen.contains(&period) {
                    seen.push(period);
                    kept.insert(index);
                }
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn newest_of_each_period_is_kept() {
        let newest = datetime!(2026-11-25 18:00 UTC);
        let times: Vec<Timestamp> = (0..4 * 800)
            .map(|n| Timestamp::from(newest - Duration::hours(6) * n))
            .collect();
        let retention = Retention {
            daily: 7,
            weekly: 4,
            monthly: 12,
            yearly: 3,
        };

        let kept = retention.kept(&times);
        let days: Vec<String> = kept
            .iter()
            .map(|index| times[*index].to_string()[..10].to_owned())
            .collect();

        assert_eq!(
            days[..8],
            [
                "2026-11-25",
                "2026-11-24",
                "2026-11-23",
                "2026-11-22",
                "2026-11-21",
                "2026-11-20",
                "2026-11-19",
                "2026-11-15",
            ]
        );
        assert!(days.contains(&"2026-10-31".to_owned()));
        assert!(days.contains(&"2025-12-31".to_owned()));
        assert!(days.contains(&"2024-12-31".to_owned()));
        assert!(kept.len() < 25, "{days:?}");
        assert!(
            kept.iter()
                .all(|index| times[*index].to_string().contains("T18:00"))
        );
    }

    #[test]
    fn last_backup_is_never_deleted() {
        let nothing = Retention {
            daily: 0,
            weekly: 0,
            monthly: 0,
            yearly: 0,
        };
        let times = [Timestamp::from(datetime!(2020-01-01 0:00 UTC)); 3];

        assert_eq!(nothing.kept(&times), BTreeSet::from([0]));
        assert!(nothing.kept(&[]).is_empty());
    }
}

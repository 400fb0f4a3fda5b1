//! Moves every wrapped data key to another master key, in batches, while servers run.
//!
//! Works workspace by workspace in tenant transactions, because row-level security hides the rows
//! from everybody else. A row that changes meanwhile is left alone: whoever changed it sealed it
//! with the current key, or the next pass finds it.

use domain::WorkspaceId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::idempotency::{RequestKey, answer_place};
use crate::master_keys::{Fingerprint, Keyring, MasterKey, rewrap};
use crate::vault::{Sealed, secret_place};
use crate::{Result, Store};

/// Values that one transaction wraps anew.
const BATCH: i64 = 100;

/// What one pass did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rewrapped {
    /// Values that are wrapped with the target now.
    pub moved: u64,
    /// Values that no key at hand opens.
    pub unopened: u64,
}

impl Store {
    /// Wraps the data keys of all values with `target` that are not yet. May be broken off and
    /// repeated at any point.
    ///
    /// # Errors
    /// `Unavailable`; what was done so far stays done.
    pub async fn rewrap(&self, keyring: &Keyring, target: &MasterKey) -> Result<Rewrapped> {
        let mut done = Rewrapped::default();
        for workspace_id in self.list_workspace_ids().await? {
            self.rewrap_secrets(workspace_id, keyring, target, &mut done)
                .await?;
            self.rewrap_answers(workspace_id, keyring, target, &mut done)
                .await?;
        }
        Ok(done)
    }

    pub(crate) async fn list_workspace_ids(&self) -> Result<Vec<WorkspaceId>> {
        let ids = sqlx::query_scalar!("select id from workspaces order by id")
            .fetch_all(self.pool())
            .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    async fn rewrap_secrets(
        &self,
        workspace_id: WorkspaceId,
        keyring: &Keyring,
        target: &MasterKey,
        done: &mut Rewrapped,
    ) -> Result<()> {
        let fingerprint = target.fingerprint();
        let mut after = Uuid::nil();
        loop {
            let mut tx = self.begin(workspace_id).await?;
            let rows = sqlx::query!(
                "select id, version, wrapped_key, ciphertext, master_key from secrets
                 where id > $1 and master_key is distinct from $2 order by id limit $3",
                after,
                fingerprint.bytes(),
                BATCH
            )
            .fetch_all(tx.connection())
            .await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.id;
            for row in rows {
                let place = secret_place(workspace_id, row.id.into(), row.version);
                let sealed = sealed(row.wrapped_key, row.ciphertext, row.master_key)?;
                let Ok(wrapped_key) = rewrap(keyring, target, &place, &sealed) else {
                    tracing::error!(secret.id = %row.id, workspace.id = %workspace_id, "a secret opens with no key");
                    done.unopened += 1;
                    continue;
                };
                let change = sqlx::query!(
                    "update secrets set wrapped_key = $3, master_key = $4
                     where id = $1 and wrapped_key = $2",
                    row.id,
                    sealed.wrapped_key,
                    wrapped_key,
                    fingerprint.bytes()
                );
                done.moved += change.execute(tx.connection()).await?.rows_affected();
            }
            tx.commit().await?;
        }
    }

    async fn rewrap_answers(
        &self,
        workspace_id: WorkspaceId,
        keyring: &Keyring,
        target: &MasterKey,
        done: &mut Rewrapped,
    ) -> Result<()> {
        let fingerprint = target.fingerprint();
        let mut after = (String::new(), String::new());
        loop {
            let mut tx = self.begin(workspace_id).await?;
            let rows = sqlx::query!(
                r#"select path, key, wrapped_key as "wrapped_key!", ciphertext as "ciphertext!", master_key
                   from idempotent_answers
                   where (path, key) > ($1, $2) and wrapped_key is not null and ciphertext is not null
                     and master_key is distinct from $3
                   order by path, key limit $4"#,
                after.0,
                after.1,
                fingerprint.bytes(),
                BATCH
            )
            .fetch_all(tx.connection())
            .await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = (last.path.clone(), last.key.clone());
            for row in rows {
                let request = RequestKey {
                    path: &row.path,
                    key: &row.key,
                };
                let place = answer_place(workspace_id, request);
                let sealed = sealed(row.wrapped_key, row.ciphertext, row.master_key)?;
                let Ok(wrapped_key) = rewrap(keyring, target, &place, &sealed) else {
                    tracing::error!(workspace.id = %workspace_id, path = row.path, "a kept answer opens with no key");
                    done.unopened += 1;
                    continue;
                };
                done.moved +=
                    move_answer(tx.connection(), request, &sealed, &wrapped_key, fingerprint)
                        .await?;
            }
            tx.commit().await?;
        }
    }
}

async fn move_answer(
    db: &mut PgConnection,
    request: RequestKey<'_>,
    sealed: &Sealed,
    wrapped_key: &[u8],
    fingerprint: Fingerprint,
) -> Result<u64> {
    let change = sqlx::query!(
        "update idempotent_answers set wrapped_key = $4, master_key = $5
         where path = $1 and key = $2 and wrapped_key = $3",
        request.path,
        request.key,
        sealed.wrapped_key,
        wrapped_key,
        fingerprint.bytes()
    );
    Ok(change.execute(db).await?.rows_affected())
}

fn sealed(
    wrapped_key: Vec<u8>,
    ciphertext: Vec<u8>,
    master_key: Option<Vec<u8>>,
) -> Result<Sealed> {
    Ok(Sealed {
        wrapped_key,
        ciphertext,
        master_key: master_key
            .as_deref()
            .map(Fingerprint::from_bytes)
            .transpose()?,
    })
}

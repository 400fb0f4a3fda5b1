//! `agentarea backup …` and `agentarea restore`

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use domain::Timestamp;
use rand::RngCore;
use store::Store;
use store::backup::{Backups, Listed, Manifest, Overwrite, Retention};
use store::blobs::Place;
use store::embedded::{Embedded, Joining};
use time::OffsetDateTime;

use crate::config::Config;
use crate::master_key::{self, KeyPlace};
use crate::wiring::open_database;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes a backup of the database and all files, while servers run.
    Create {
        #[command(flatten)]
        place: PlaceArgument,
    },
    /// Lists the backups, the newest first.
    List {
        #[command(flatten)]
        place: PlaceArgument,
    },
    /// Restores a backup into a database of its own, compares everything and throws it away.
    Verify {
        /// Name of the backup.
        #[arg(default_value = "latest")]
        backup: String,
        #[command(flatten)]
        place: PlaceArgument,
    },
    /// Deletes backups, except the newest one of each of the last days, weeks, months and years.
    Prune {
        /// Days.
        #[arg(long, default_value_t = 7)]
        keep_daily: usize,
        /// Weeks.
        #[arg(long, default_value_t = 4)]
        keep_weekly: usize,
        /// Months.
        #[arg(long, default_value_t = 12)]
        keep_monthly: usize,
        /// Years.
        #[arg(long, default_value_t = 3)]
        keep_yearly: usize,
        #[command(flatten)]
        place: PlaceArgument,
    },
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// Name of the backup.
    #[arg(default_value = "latest")]
    backup: String,
    /// Throws away what is in the database now.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: PlaceArgument,
}

#[derive(Debug, Args)]
pub(super) struct PlaceArgument {
    /// Where the backups are, file:///folder or s3://bucket/prefix, instead of AGENTAREA_BACKUP_STORE.
    #[arg(long = "store", value_name = "PLACE")]
    store: Option<Place>,
}

pub(super) async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    crate::telemetry::start_quiet();
    match command {
        Command::Create { place } => create(&config, &place).await,
        Command::List { place } => list(&config, &place).await,
        Command::Verify { backup, place } => verify(&config, &place, &backup).await,
        Command::Prune {
            keep_daily,
            keep_weekly,
            keep_monthly,
            keep_yearly,
            place,
        } => {
            let retention = Retention {
                daily: keep_daily,
                weekly: keep_weekly,
                monthly: keep_monthly,
                yearly: keep_yearly,
            };
            prune(&config, &place, retention).await
        }
    }
}

async fn create(config: &Config, place: &PlaceArgument) -> anyhow::Result<()> {
    let backups = open(config, place)?;
    let objects = config.object_store()?.open()?;
    let now = OffsetDateTime::now_utc();
    let (store, embedded) = open_database(config, Joining::Share).await?;
    let created = async {
        store.migrate().await?;
        let id = new_id(now);
        backups.create(&store, &objects, id, now.into()).await
    };
    let created = created.await;
    close(store, embedded).await?;
    println!("created backup {}", summary(&created?));
    Ok(())
}

async fn list(config: &Config, place: &PlaceArgument) -> anyhow::Result<()> {
    for listed in open(config, place)?.list().await? {
        match listed {
            Listed::Readable(manifest) => println!("{}", summary(&manifest)),
            Listed::Unreadable { id, reason } => println!("{id}  cannot be read: {reason}"),
        }
    }
    Ok(())
}

async fn verify(config: &Config, place: &PlaceArgument, backup: &str) -> anyhow::Result<()> {
    let backups = open(config, place)?;
    let manifest = backups.find(backup).await?;
    let scratch = Embedded::open_scratch(&data_dir(config)?)
        .await
        .context("start a database server to restore into")?;
    let store = Store::new(store::Config::new(scratch.options()));
    let verified = backups.verify(&manifest, &store).await;
    store.close().await;
    scratch.discard().await?;
    let verified = verified.with_context(|| format!("the backup {} is of no use", manifest.id))?;
    println!(
        "verified backup {}: {} tables with {} rows are the same after a restore, {} files are \
         whole, {} secrets open",
        manifest.id, verified.tables, verified.rows, verified.objects, verified.secrets
    );
    Ok(())
}

async fn prune(config: &Config, place: &PlaceArgument, retention: Retention) -> anyhow::Result<()> {
    let backups = open(config, place)?;
    let (store, embedded) = open_database(config, Joining::Share).await?;
    let pruned = backups.prune(&store, retention).await;
    close(store, embedded).await?;
    let pruned = pruned?;
    for id in &pruned.deleted {
        println!("deleted backup {id}");
    }
    println!("kept {} backups", pruned.kept.len());
    Ok(())
}

pub(super) async fn restore(config: Config, arguments: Restore) -> anyhow::Result<()> {
    crate::telemetry::start_quiet();
    let backups = open(&config, &arguments.place)?;
    let manifest = backups.find(&arguments.backup).await?;
    let objects = config.object_store()?.open()?;
    let _lock = match config.database_url {
        Some(_) => None,
        None => Some(super::serve::hold_data_folder(&config)?),
    };
    let (store, embedded) = open_database(&config, Joining::Share).await?;
    let overwrite = match arguments.force {
        true => Overwrite::Always,
        false => Overwrite::Never,
    };
    let restored = backups
        .restore(&manifest, &store, &objects, overwrite)
        .await;
    close(store, embedded).await?;
    restored.with_context(|| format!("restore the backup {}", manifest.id))?;
    println!("restored backup {}", summary(&manifest));
    Ok(())
}

fn open(config: &Config, place: &PlaceArgument) -> anyhow::Result<Backups> {
    let key_place = KeyPlace::new(config.master_key.as_ref(), &data_dir(config)?);
    let keys = key_place.read()?.with_context(|| {
        format!(
            "backups are sealed with the master key, and there is none: AGENTAREA_MASTER_KEY is \
             not set and {key_place} does not exist; put the key back that they were made with"
        )
    })?;
    let place = match &place.store {
        Some(place) => place.clone(),
        None => config.backup_store()?,
    };
    Ok(Backups::new(place.open()?, master_key::ring(&keys)?))
}

fn data_dir(config: &Config) -> anyhow::Result<PathBuf> {
    let data_dir = config.data_dir()?;
    std::fs::create_dir_all(&data_dir)
        .with_context(|| format!("make the data folder {}", data_dir.display()))?;
    Ok(data_dir)
}

fn summary(manifest: &Manifest) -> String {
    format!(
        "{}  {}  {} rows, {} files with {} bytes, made by agentarea {}",
        manifest.id,
        manifest.created_at,
        manifest.rows(),
        manifest.objects.len(),
        manifest.object_bytes(),
        manifest.program
    )
}

/// The time, so that names sort, and something random, so that two never clash.
fn new_id(now: OffsetDateTime) -> String {
    let time: String = Timestamp::from(now)
        .to_string()
        .chars()
        .filter(|c| c.is_ascii_digit())
        .collect();
    let mut random = [0; 4];
    rand::rng().fill_bytes(&mut random);
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{time}-{random}")
}

async fn close(store: Store, embedded: Option<Embedded>) -> anyhow::Result<()> {
    store.close().await;
    match embedded {
        Some(embedded) => embedded.close().await,
        None => Ok(()),
    }
}

//! `agentarea admin …`

use anyhow::{Context, bail};
use clap::Subcommand;
use domain::{Action, Error, Secret};
use store::embedded::Joining;

use crate::config::Config;
use crate::key_rotation::{self, Rotated};
use crate::master_key::KeyPlace;
use crate::wiring::Backend;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes a user, and the workspace with that user as owner if it is missing.
    ///
    /// The password comes from AGENTAREA_PASSWORD or is asked for.
    CreateUser {
        /// Address to sign in with.
        #[arg(long)]
        email: String,
        /// Name of the workspace.
        #[arg(long)]
        workspace: String,
    },
    /// Makes an API key and prints it, once, and nothing else.
    CreateApiKey {
        /// Address of the user.
        #[arg(long)]
        email: String,
        /// Name of the workspace.
        #[arg(long)]
        workspace: String,
        /// What the key may be used for, such as read,converse; whatever the user may if not given.
        #[arg(long, value_delimiter = ',')]
        scopes: Option<Vec<Action>>,
        /// What the key is for.
        #[arg(long, default_value = "command line")]
        name: String,
    },
    /// Changes the key that seals all secrets, while servers run.
    ///
    /// With the key file: makes a new key, wraps everything with it and removes the old one. With
    /// AGENTAREA_MASTER_KEY: moves everything to the first key of the list. If it is interrupted,
    /// run it again.
    RotateMasterKey,
}

pub(super) async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    crate::telemetry::start_quiet();
    match command {
        Command::CreateUser { email, workspace } => {
            let password = read_password()?;
            let backend = Backend::open(&config, Joining::Share).await?;
            let created = backend
                .services
                .create_user(&email, &password, &workspace)
                .await;
            backend.close().await?;
            let (user, workspace) = created.map_err(in_words)?;
            println!(
                "created user {} in workspace {}",
                user.email, workspace.name
            );
        }
        Command::CreateApiKey {
            email,
            workspace,
            scopes,
            name,
        } => {
            let backend = Backend::open(&config, Joining::Share).await?;
            let created = backend
                .services
                .create_api_key_for(&email, &workspace, &name, scopes)
                .await;
            backend.close().await?;
            println!("{}", created.map_err(in_words)?.key);
        }
        Command::RotateMasterKey => {
            let backend = Backend::open(&config, Joining::Share).await?;
            let place = backend.key_place.clone();
            let rotated = key_rotation::rotate(backend.services.store(), &place).await;
            backend.close().await?;
            tell(&rotated?, &place);
        }
    }
    Ok(())
}

fn tell(rotated: &Rotated, place: &KeyPlace) {
    let Rotated { key, moved, .. } = rotated;
    if rotated.was_begun {
        println!("finished the change that was begun before");
    }
    println!("everything is sealed with master key {key} now; {moved} values were wrapped anew");
    match place {
        KeyPlace::File(path) => println!("{} holds this key only", path.display()),
        KeyPlace::Configuration(_) => println!("the other keys may be removed from {place}"),
    }
    println!("backups made before this still need the old key");
}

fn read_password() -> anyhow::Result<Secret> {
    match std::env::var("AGENTAREA_PASSWORD") {
        Ok(password) => Ok(Secret::new(password)),
        Err(_) => {
            let password = rpassword::prompt_password("Password: ")
                .context("no terminal to ask on; set AGENTAREA_PASSWORD")?;
            if password.is_empty() {
                bail!("no password was given");
            }
            Ok(Secret::new(password))
        }
    }
}

fn in_words(error: Error) -> anyhow::Error {
    match error {
        Error::Invalid { fields } => {
            let lines: Vec<String> = fields
                .into_iter()
                .map(|error| format!("{}: {}", error.field, error.message))
                .collect();
            anyhow::anyhow!(lines.join("; "))
        }
        error => anyhow::anyhow!(error.to_string()),
    }
}

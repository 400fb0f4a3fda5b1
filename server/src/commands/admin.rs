//! `agentarea admin …`

use anyhow::{Context, bail};
use clap::Subcommand;
use domain::{Action, Error, Secret};
use store::embedded::Joining;

use crate::config::Config;
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
    }
    Ok(())
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

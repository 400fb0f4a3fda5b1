//! The three streams of a container, carried over one connection to the engine.

use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::query_parameters::{AttachContainerOptions, InspectContainerOptions};
use futures::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Docker;
use super::fault::{answer, fault};
use super::reading::exit_of;
use crate::{Error, Exit, LogBook, Reader, Writer};

/// Output that was not read yet; beyond it the container waits.
const BUFFER: usize = 64 * 1024;
/// The engine notes the end of a container a little after its output ends.
const END_POLL: Duration = Duration::from_millis(20);
const END_POLLS: usize = 250;

/// A container that is attached to but not necessarily started.
pub(super) struct Attachment {
    pub(super) stdio: (Writer, Reader),
    pub(super) exit: watch::Receiver<Option<Exit>>,
}

impl Docker {
    /// Attaches to a container. What it writes to its error output goes to `log`.
    pub(super) async fn attach(
        &self,
        container: &str,
        log: LogBook,
        token: CancellationToken,
    ) -> Result<Attachment, Error> {
        let options = AttachContainerOptions {
            stdin: true,
            stdout: true,
            stderr: true,
            stream: true,
            ..AttachContainerOptions::default()
        };
        let client = self.client().await?;
        let AttachContainerResults { mut output, input } = client
            .attach_container(container, Some(options))
            .await
            .map_err(fault)?;
        let (reader, mut writer) = tokio::io::simplex(BUFFER);
        let (ended, exit) = watch::channel(None);
        let (docker, container) = (self.clone(), container.to_owned());
        let carry = async move {
            let mut is_read = true;
            while let Some(Ok(part)) = output.next().await {
                match part {
                    LogOutput::StdOut { message } => {
                        // Whoever read it may be gone; the container goes on.
                        is_read = is_read && writer.write_all(&message).await.is_ok();
                    }
                    LogOutput::StdErr { message } => log.write(&message),
                    LogOutput::StdIn { .. } | LogOutput::Console { .. } => {}
                }
            }
            log.end();
            let _ = writer.shutdown().await;
            let exit = docker.wait_for_exit(&container).await;
            ended.send_replace(Some(exit));
        };
        tokio::spawn(token.run_until_cancelled_owned(carry));
        Ok(Attachment {
            stdio: (Box::new(input), Box::new(reader)),
            exit,
        })
    }

    async fn wait_for_exit(&self, container: &str) -> Exit {
        let gone = Exit {
            code: None,
            is_out_of_memory: false,
        };
        for _ in 0..END_POLLS {
            let Ok(client) = self.client().await else {
                return gone;
            };
            match client
                .inspect_container(container, None::<InspectContainerOptions>)
                .await
            {
                Ok(found) => {
                    let state = found.state.unwrap_or_default();
                    if state.running != Some(true) {
                        return exit_of(&state);
                    }
                }
                Err(error) if matches!(answer(&error), Some((404, _))) => return gone,
                // Podman gives a container that is just ending a state that Docker does not know.
                Err(error) => tracing::debug!(error = %error, "inspect a container that ended"),
            }
            tokio::time::sleep(END_POLL).await;
        }
        gone
    }
}

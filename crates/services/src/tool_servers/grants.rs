//! Tokens of one server, in the vault.

use std::time::Duration;

use async_trait::async_trait;
use domain::{McpServerId, SecretId, WorkspaceId};
use mcp::sign_in::GrantKeeper;
use secrecy::SecretString;
use store::Store;
use store::vault::Vault;

use crate::mint;

/// How long whoever renews tokens is believed to be at it.
const RENEWAL: time::Duration = time::Duration::seconds(45);
/// How often, and how often at most, it is asked whether others are done.
const ASK_EVERY: Duration = Duration::from_millis(250);
const ASK_AT_MOST: u32 = 240;

/// The tokens of one server. Cheap to clone.
#[derive(Clone)]
pub(super) struct ServerGrant {
    pub(super) store: Store,
    pub(super) vault: Vault,
    pub(super) workspace_id: WorkspaceId,
    pub(super) server_id: McpServerId,
    pub(super) grant_id: SecretId,
}

/// The right to renew; given back when dropped.
struct Turn(ServerGrant);

impl ServerGrant {
    async fn is_free(&self) -> store::Result<bool> {
        let now = mint::now();
        let until = (now.date_time() + RENEWAL).into();
        let mut tx = self.store.begin(self.workspace_id).await?;
        let is_free = tx.take_renewal(self.server_id, now, until).await?;
        tx.commit().await?;
        Ok(is_free)
    }

    async fn leave(&self) -> store::Result<()> {
        let mut tx = self.store.begin(self.workspace_id).await?;
        tx.leave_renewal(self.server_id).await?;
        tx.commit().await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let grant = self.0.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Otherwise its time runs out.
            runtime.spawn(async move { grant.leave().await });
        }
    }
}

fn told(error: store::Error) -> String {
    tracing::warn!(%error, "tokens of a tool server cannot be read or written");
    "our database does not answer".to_owned()
}

#[async_trait]
impl GrantKeeper for ServerGrant {
    async fn load(&self) -> Result<Option<SecretString>, String> {
        let read = async {
            let mut tx = self.store.begin(self.workspace_id).await?;
            tx.find_secret(&self.vault, self.grant_id).await
        };
        read.await.map_err(told)
    }

    async fn save(&self, grant: SecretString) -> Result<(), String> {
        let write = async {
            let mut tx = self.store.begin(self.workspace_id).await?;
            let kept = tx.find_sign_in_secrets(self.server_id).await?;
            if kept.grant_id == Some(self.grant_id) {
                tx.put_secret(&self.vault, self.grant_id, &grant, mint::now())
                    .await?;
            }
            tx.commit().await
        };
        write.await.map_err(told)
    }

    async fn take_turn(&self) -> Result<Box<dyn Send>, String> {
        for _ in 0..ASK_AT_MOST {
            if self.is_free().await.map_err(told)? {
                return Ok(Box::new(Turn(self.clone())));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        Err("somebody else renews the tokens and does not come to an end".to_owned())
    }
}

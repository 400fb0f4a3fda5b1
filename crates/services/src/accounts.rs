//! The signed-in person.

use async_trait::async_trait;
use domain::Error;
use domain::accounts::{Accounts, Me};

use crate::fault::OrFault;
use crate::{Credential, Session};

#[async_trait]
impl Accounts for Session {
    async fn me(&self) -> Result<Me, Error> {
        let mut db = self.services.store.system().await.or_fault()?;
        let user = store::accounts::find_user(&mut db, self.actor.user_id)
            .await
            .or_fault()?
            .ok_or(Error::Unauthenticated)?;
        let workspaces = store::accounts::list_memberships(&mut db, user.id)
            .await
            .or_fault()?;
        Ok(Me {
            user,
            workspace_id: self.actor.workspace_id,
            workspaces,
        })
    }

    async fn sign_out(&self) -> Result<(), Error> {
        let Credential::Session(id) = self.credential else {
            return Ok(());
        };
        let mut db = self.services.store.system().await.or_fault()?;
        store::sessions::delete(&mut db, id).await.or_fault()
    }
}

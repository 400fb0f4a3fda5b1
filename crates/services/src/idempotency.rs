//! Requests that may be repeated.

use std::time::Duration;

use domain::Error;
use sha2::{Digest, Sha256};
use store::idempotency::RequestKey;

use crate::fault::OrFault;
use crate::{Session, mint};

pub use store::idempotency::{Claim, StoredAnswer};

/// How often a twin looks whether the first answer is there, and how many times.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOKS: u32 = 600;

/// A request with a key.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The path that is posted to.
    pub path: &'a str,
    /// The client's key.
    pub key: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl Session {
    /// Claims a request for this caller, or gives the first answer, waiting up to 30 s for it.
    ///
    /// # Errors
    /// `Conflict` if the key was used with another body, or the twin does not end.
    pub async fn claim_request(&self, request: Request<'_>) -> Result<Option<StoredAnswer>, Error> {
        let body_hash = Sha256::digest(request.body);
        let key = self.own_key(request);
        for _ in 0..LOOKS {
            let mut tx = self.begin_any().await?;
            let claim = tx
                .claim_request(
                    &self.services.vault,
                    within(request, &key),
                    &body_hash,
                    mint::now(),
                )
                .await
                .or_fault()?;
            tx.commit().await.or_fault()?;
            match claim {
                Claim::Mine => return Ok(None),
                Claim::Answered(answer) => return Ok(Some(answer)),
                Claim::OtherBody => {
                    return Err(Error::conflict(
                        "this Idempotency-Key was used with another body; use a new key",
                    ));
                }
                Claim::InProgress => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
        Err(Error::conflict(
            "a request with this Idempotency-Key is still being answered",
        ))
    }

    /// Keeps the answer for whoever asks again within 24 h.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keep_answer(
        &self,
        request: Request<'_>,
        answer: &StoredAnswer,
    ) -> Result<(), Error> {
        let key = self.own_key(request);
        let mut tx = self.begin_any().await?;
        tx.keep_answer(&self.services.vault, within(request, &key), answer)
            .await
            .or_fault()?;
        tx.commit().await.or_fault()
    }

    /// Lets a failed request be tried again with its key.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn drop_claim(&self, request: Request<'_>) -> Result<(), Error> {
        let key = self.own_key(request);
        let mut tx = self.begin_any().await?;
        tx.drop_claim(within(request, &key)).await.or_fault()?;
        tx.commit().await.or_fault()
    }

    /// The request itself is authorized by what it asks for.
    async fn begin_any(&self) -> Result<store::TenantTx, Error> {
        self.begin(domain::Action::Read).await
    }

    /// Keys are a person's own: the first answer may hold what only that person may see.
    fn own_key(&self, request: Request<'_>) -> String {
        format!("{}/{}", self.actor.user_id, request.key)
    }
}

fn within<'a>(request: Request<'a>, key: &'a str) -> RequestKey<'a> {
    RequestKey {
        path: request.path,
        key,
    }
}

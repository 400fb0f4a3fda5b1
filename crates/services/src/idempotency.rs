//! Requests that may be repeated.

use std::fmt::Display;
use std::time::Duration;

use domain::conversations::PostedMessage;
use domain::{ConversationId, Error};
use sha2::{Digest, Sha256};
use store::TenantTx;
use store::idempotency::RequestKey;

use crate::fault::OrFault;
use crate::posting::Ask;
use crate::{Session, mint};

pub use store::idempotency::{Claim, StoredAnswer};

/// How often a twin looks whether the first answer is there, and how many times.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOKS: u32 = 600;
/// How long a request that comes again is the same.
const KEY_LASTS: time::Duration = time::Duration::hours(24);

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
        let key = self.own_key(request.key);
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
                    return Err(key_is_taken());
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
        let key = self.own_key(request.key);
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
        let key = self.own_key(request.key);
        let mut tx = self.begin_any().await?;
        tx.drop_claim(within(request, &key)).await.or_fault()?;
        tx.commit().await.or_fault()
    }

    /// The request itself is authorized by what it asks for.
    async fn begin_any(&self) -> Result<TenantTx, Error> {
        self.begin(domain::Action::Read).await
    }

    /// Keys are a person's own: the first answer may hold what only that person may see.
    fn own_key(&self, key: &str) -> String {
        format!("{}/{key}", self.actor.user_id)
    }

    /// A person's own key for one kind of request.
    pub(crate) fn own_key_for(&self, deed: impl Display, key: &str) -> String {
        self.own_key(&format!("{deed}/{key}"))
    }
}

fn key_is_taken() -> Error {
    Error::conflict("this Idempotency-Key was used with another body; use a new key")
}

fn within<'a>(request: Request<'a>, key: &'a str) -> RequestKey<'a> {
    RequestKey {
        path: request.path,
        key,
    }
}

/// What the same request made before.
///
/// # Errors
/// `Conflict` if it said something else.
pub(crate) async fn find_posted(
    tx: &mut TenantTx,
    id: ConversationId,
    key: &str,
    ask: Ask<'_>,
) -> Result<Option<PostedMessage>, Error> {
    let since = (mint::now().date_time() - KEY_LASTS).into();
    let Some(posted) = tx.find_posted(id, key, since).await.or_fault()? else {
        return Ok(None);
    };
    match ask {
        Ask::Next(text) | Ask::Behind(_, text) | Ask::Instead(_, text) if text != posted.text => {
            Err(key_is_taken())
        }
        _ => Ok(Some(PostedMessage {
            message_id: posted.message_id,
            run_id: posted.run_id,
        })),
    }
}

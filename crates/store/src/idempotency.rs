//! First answers to repeated requests.

use domain::{Timestamp, WorkspaceId};
use sqlx::PgConnection;

use crate::Result;
use crate::database::TenantTx;
use crate::master_keys::Fingerprint;
use crate::vault::{Sealed, Vault};

/// Which request.
#[derive(Clone, Copy, Debug)]
pub struct RequestKey<'a> {
    /// The path that was posted to.
    pub path: &'a str,
    /// The client's key.
    pub key: &'a str,
}

/// An answer as it was first given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Location` header.
    pub location: Option<String>,
    /// Body.
    pub body: Vec<u8>,
}

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is new; this caller shall answer it.
    Mine,
    /// It came before with another body.
    OtherBody,
    /// Another caller is answering it.
    InProgress,
    /// It was answered.
    Answered(StoredAnswer),
}

impl TenantTx {
    /// Claims a request. A claim that never got its answer lapses after a minute.
    pub async fn claim_request(
        &mut self,
        vault: &Vault,
        request: RequestKey<'_>,
        body_hash: &[u8],
        now: Timestamp,
    ) -> Result<Claim> {
        let is_mine = sqlx::query_scalar!(
            "insert into idempotent_answers (workspace_id, path, key, body_hash, created_at)
             values ($1, $2, $3, $4, $5)
             on conflict (workspace_id, path, key) do update set created_at = $5
               where idempotent_answers.status is null and idempotent_answers.body_hash = $4
                 and idempotent_answers.created_at < $5 - interval '1 minute'
             returning 1",
            self.workspace_id().uuid(),
            request.path,
            request.key,
            body_hash,
            now.date_time()
        )
        .fetch_optional(self.connection())
        .await?
        .is_some();
        if is_mine {
            return Ok(Claim::Mine);
        }
        let row = sqlx::query!(
            "select body_hash, status, location, wrapped_key, ciphertext, master_key
             from idempotent_answers where workspace_id = $1 and path = $2 and key = $3",
            self.workspace_id().uuid(),
            request.path,
            request.key
        )
        .fetch_one(self.connection())
        .await?;
        if row.body_hash != body_hash {
            return Ok(Claim::OtherBody);
        }
        let (Some(status), Some(wrapped_key), Some(ciphertext)) =
            (row.status, row.wrapped_key, row.ciphertext)
        else {
            return Ok(Claim::InProgress);
        };
        let sealed = Sealed {
            wrapped_key,
            ciphertext,
            master_key: row
                .master_key
                .as_deref()
                .map(Fingerprint::from_bytes)
                .transpose()?,
        };
        Ok(Claim::Answered(StoredAnswer {
            status: status as u16,
            location: row.location,
            body: vault.open(&answer_place(self.workspace_id(), request), &sealed)?,
        }))
    }

    /// Keeps the answer to a claimed request.
    pub async fn keep_answer(
        &mut self,
        vault: &Vault,
        request: RequestKey<'_>,
        answer: &StoredAnswer,
    ) -> Result<()> {
        let place = answer_place(self.workspace_id(), request);
        let mut key = vault.sealing_key();
        loop {
            let fingerprint = key.fingerprint();
            let sealed = vault.seal(&key, &place, &answer.body);
            let done = sqlx::query!(
                "update idempotent_answers
                 set status = $4, location = $5, wrapped_key = $6, ciphertext = $7, master_key = $8
                 where workspace_id = $1 and path = $2 and key = $3
                   and exists (select from master_keys where fingerprint = $8 and is_current)",
                self.workspace_id().uuid(),
                request.path,
                request.key,
                i32::from(answer.status),
                answer.location,
                sealed.wrapped_key,
                sealed.ciphertext,
                fingerprint.bytes()
            )
            .execute(self.connection())
            .await?;
            if done.rows_affected() > 0 {
                return Ok(());
            }
            match self.newer_key(vault, fingerprint).await? {
                Some(newer) => key = newer,
                // The claim lapsed meanwhile.
                None => return Ok(()),
            }
        }
    }

    /// Forgets a claim whose request failed, so that it can be tried again.
    pub async fn drop_claim(&mut self, request: RequestKey<'_>) -> Result<()> {
        sqlx::query!(
            "delete from idempotent_answers
             where workspace_id = $1 and path = $2 and key = $3 and status is null",
            self.workspace_id().uuid(),
            request.path,
            request.key
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

/// Deletes answers older than `before`.
pub async fn delete_old(db: &mut PgConnection, before: Timestamp) -> Result<()> {
    sqlx::query!(
        "delete from idempotent_answers where created_at < $1",
        before.date_time()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Where an answer belongs: it opens nowhere else.
pub(crate) fn answer_place(workspace_id: WorkspaceId, request: RequestKey<'_>) -> String {
    format!("answer/{workspace_id}/{}/{}", request.path, request.key)
}

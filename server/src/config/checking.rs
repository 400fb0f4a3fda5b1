//! Which settings go together.

use anyhow::bail;

use super::{Config, Environment, is_loopback};

impl Config {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// In words for whoever configures it.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.redis()?;
        if self.database_replica_urls.is_some() && self.database_url.is_none() {
            bail!("DATABASE_REPLICA_URLS needs DATABASE_URL: the embedded database has no copies");
        }
        self.allowed_private_hosts()?;
        self.object_store()?;
        self.backup_store()?;
        self.trusted_proxies()?;
        self.container_engines()?;
        if let Some(url) = &self.otlp_endpoint
            && (!matches!(url.scheme(), "http" | "https") || url.host().is_none())
        {
            bail!("OTEL_EXPORTER_OTLP_ENDPOINT must be an http:// or https:// address");
        }
        let url = self.public_url();
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            bail!("public_url must be an http:// or https:// origin, not {url}");
        }
        if url.path() != "/" || url.query().is_some() {
            bail!("public_url must be an origin without a path, not {url}");
        }
        if self.environment == Environment::Production {
            if self.master_key.is_none() {
                bail!(
                    "in production master_key must be set: AGENTAREA_MASTER_KEY, 32 bytes as base64"
                );
            }
            if url.scheme() == "http" && !is_loopback(&url) {
                bail!("in production public_url must begin with https://, not {url}");
            }
        }
        Ok(())
    }
}

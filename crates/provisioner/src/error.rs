//! What can go wrong, in words for the person who has to do something about it.

/// Why a container does not run. No variant carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing answers on any socket.
    #[error(
        "no container engine answers ({tried}); install Docker or Podman, let this user reach its \
         socket, or set DOCKER_HOST"
    )]
    NoEngine {
        /// Where, and what happened.
        tried: String,
    },
    /// The engine answered before and does not any more.
    #[error("the container engine stopped answering ({reason}); is it being restarted?")]
    EngineGone {
        /// The engine's or system's words.
        reason: String,
    },
    /// The image is not on the engine and could not be fetched.
    #[error("image {image} is not on this engine and could not be pulled: {reason}")]
    ImageMissing {
        /// As given.
        image: String,
        /// The registry's or engine's words.
        reason: String,
    },
    /// The image in which packages are installed could not be made.
    #[error(
        "the base image for {language} packages could not be made from {from}: {reason}. Let the engine \
         reach that registry (`docker pull {from}` shows whether it does), or name a copy of the image \
         in a mirror with the setting containers.{language}_from, or an image of your own (see \
         deploy/mcp-base/{language}) with containers.{language}_image"
    )]
    NoBase {
        /// The public image.
        from: String,
        /// `node` or `python`.
        language: &'static str,
        /// The registry's or engine's words.
        reason: String,
    },
    /// A package could not be turned into an image.
    #[error("{package} could not be installed: {reason}")]
    NotBuilt {
        /// The package.
        package: String,
        /// The installer's last lines.
        reason: String,
    },
    /// The engine could not begin: no such command, another architecture.
    #[error("the container could not start: {reason}")]
    NotStarted {
        /// The engine's words.
        reason: String,
    },
    /// It needed more memory than it may have.
    #[error("the container ran out of memory (limit {} MiB); raise its memory limit", limit_bytes >> 20)]
    OutOfMemory {
        /// The limit.
        limit_bytes: u64,
    },
    /// It ended, and nobody asked it to.
    #[error("the container ended with exit code {code}{}", meaning(*code))]
    Exited {
        /// As the engine tells it; 128 + n for signal n.
        code: i64,
    },
    /// Somebody else's container has the name.
    #[error("container {name} exists and is not ours; rename or remove it")]
    NameTaken {
        /// The container's name.
        name: String,
    },
    /// Somebody has started the server anew since.
    #[error("container {name} was started anew by another process")]
    Outdated {
        /// The container's name.
        name: String,
    },
    /// The relay did not come up.
    #[error("the network of the container could not be set up: {reason}")]
    NoNetwork {
        /// What happened.
        reason: String,
    },
    /// The engine took too long.
    #[error("the container engine did not answer within {seconds} s")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The engine refused for another reason.
    #[error("the container engine refused: {reason}")]
    Refused {
        /// The engine's words.
        reason: String,
    },
}

impl Error {
    /// Whether trying again later may help without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::NoEngine { .. } | Self::EngineGone { .. } | Self::Timeout { .. }
        )
    }
}

/// What an exit code alone tells, where the engine did not say more.
fn meaning(code: i64) -> &'static str {
    match code {
        137 => ": it was killed, most often for wanting more memory than its limit",
        _ => "",
    }
}

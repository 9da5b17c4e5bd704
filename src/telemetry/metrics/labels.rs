//! The values of labels. They are fixed lists: nothing that a caller sends becomes one.

use crate::types::CommandName;

/// A label whose values are known.
pub trait Label: Copy + 'static {
    const ALL: &'static [Self];

    fn name(self) -> &'static str;

    /// Its place in [`Label::ALL`].
    fn position(self) -> usize;
}

macro_rules! label {
    ($(#[$doc:meta])* $label:ident { $($(#[$value_doc:meta])* $value:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $label { $($(#[$value_doc])* $value,)+ }

        impl Label for $label {
            const ALL: &'static [Self] = &[$(Self::$value,)+];

            fn name(self) -> &'static str {
                match self { $(Self::$value => $name,)+ }
            }

            fn position(self) -> usize {
                self as usize
            }
        }
    };
}

label!(
    /// What a request or one of its commands came to.
    Outcome {
        Success = "success",
        /// READ or DELETE of a key that is not there.
        NotFound = "not_found",
        /// A WRITE is on the master, but on fewer replicas than it asked for.
        TooFewReplicas = "too_few_replicas",
        /// Malformed, too large, of another type, or of nothing that there is.
        ClientError = "client_error",
        Unauthorized = "unauthorized",
        Forbidden = "forbidden",
        RateLimited = "rate_limited",
        /// Refused at once, because there is too much to do.
        Overloaded = "overloaded",
        Unavailable = "unavailable",
        /// A change was sent and nobody knows whether it was made.
        WriteUnconfirmed = "write_unconfirmed",
        DeadlinePassed = "deadline_passed",
        OutOfMemory = "out_of_memory",
        ValueDoesNotOpen = "value_does_not_open",
        InternalError = "internal_error",
        /// The caller went away before there was an answer.
        Cancelled = "cancelled",
    }
);

impl Outcome {
    /// True if it is the service that failed, and not its caller.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Overloaded
            | Self::Unavailable
            | Self::WriteUnconfirmed
            | Self::DeadlinePassed
            | Self::OutOfMemory
            | Self::ValueDoesNotOpen
            | Self::InternalError => true,
            Self::Success
            | Self::NotFound
            | Self::TooFewReplicas
            | Self::ClientError
            | Self::Unauthorized
            | Self::Forbidden
            | Self::RateLimited
            | Self::Cancelled => false,
        }
    }
}

label!(
    /// What a request is: an endpoint and, of `/cache`, a command.
    Kind {
        Read = "read",
        Write = "write",
        Delete = "delete",
        Batch = "batch",
        /// Of `/cache`, refused before it was known what it is.
        Unread = "none",
        Login = "login",
        Version = "version",
        Healthz = "healthz",
        Readyz = "readyz",
        Docs = "docs",
        Metrics = "metrics",
        Console = "console",
        Other = "other",
    }
);

impl From<CommandName> for Kind {
    fn from(command: CommandName) -> Self {
        match command {
            CommandName::Read => Self::Read,
            CommandName::Write => Self::Write,
            CommandName::Delete => Self::Delete,
        }
    }
}

impl Kind {
    pub fn endpoint(self) -> &'static str {
        if self.is_of_cache() { "cache" } else { self.name() }
    }

    /// `none` where there is no command.
    pub fn command(self) -> &'static str {
        if self.is_of_cache() { self.name() } else { "none" }
    }

    pub(super) fn is_of_cache(self) -> bool {
        matches!(self, Self::Read | Self::Write | Self::Delete | Self::Batch | Self::Unread)
    }
}

label!(
    /// Why a request was refused at once.
    Shed {
        /// As many requests as are allowed are being worked on.
        Requests = "requests",
        /// The bodies of all requests together take the memory that they may.
        Memory = "memory",
        /// As many commands as are allowed wait for a node.
        Node = "node",
    }
);

label!(
    /// Why a read was answered by another node than the one its key is drawn to.
    Fallback {
        /// That one was asked and failed.
        Failed = "failed",
        /// That one was known to be unreadable.
        Unreadable = "unreadable",
        /// That one may lack a change that the reader is to see.
        NotFresh = "not_fresh",
        /// That one was slow, and a second one faster.
        Slow = "slow",
    }
);

label!(
    /// Where a node of a Redis Cluster sent an operation.
    Redirection { Moved = "moved", Ask = "ask", }
);

label!(
    /// What came of a sealed value that was read.
    Opening { Opened = "opened", UnknownKey = "unknown_key", NotAuthentic = "not_authentic", }
);

label!(
    /// What came of looking for a token among those that were verified before.
    Lookup { Hit = "hit", Miss = "miss", }
);

label!(
    /// What came of a login.
    Login {
        Success = "success",
        Refused = "refused",
        /// Malformed, shed, or given up by its caller.
        Failed = "failed",
    }
);

label!(
    /// What came of reading the settings anew.
    Reload { Applied = "applied", Refused = "refused", }
);

label!(
    /// What became of a span.
    Exported {
        Sent = "sent",
        /// Too many waited to be sent.
        Dropped = "dropped",
        /// The collector did not take it.
        Failed = "failed",
    }
);

label!(
    /// The ports.
    Listener { Service = "service", Admin = "admin", }
);

label!(
    /// Why a node did not do what it was asked.
    NodeFailure {
        NotConnected = "not_connected",
        Lost = "lost",
        TimedOut = "timed_out",
        Busy = "busy",
        /// It answered with an error, to a command that was sent alone.
        Answered = "answered",
        Unexpected = "unexpected",
    }
);

label!(
    /// Whether there is a connection to a node.
    LinkState { Up = "up", Connecting = "connecting", Down = "down", }
);

label!(
    /// A node's part in its shard.
    NodeRole { Master = "master", Replica = "replica", }
);

//! The values of the metrics' labels. They are fixed lists: nothing that a caller sends becomes the value of a label.

use crate::types::CommandName;

/// A label with a fixed list of values.
pub trait Label: Copy + 'static {
    /// All values, in the order of the documentation.
    const ALL: &'static [Self];

    /// Returns the value as metrics show it.
    fn name(self) -> &'static str;

    /// Returns the position of the value in [`Label::ALL`].
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
    /// The outcome of a request or of one of its commands.
    Outcome {
        /// The command or request did what it asked for.
        Success = "success",
        /// A READ or DELETE found no such key.
        NotFound = "not_found",
        /// A WRITE reached the master, but fewer replicas than it asked for.
        TooFewReplicas = "too_few_replicas",
        /// The condition of a WRITE did not hold, so that it changed nothing.
        Conflict = "conflict",
        /// An INCREMENT would have passed its limit, or a RATE_LIMIT was not allowed.
        Limited = "limited",
        /// The request is malformed or too large, or names a path, method or type that the service does not have.
        ClientError = "client_error",
        /// The request has no token or none that is valid.
        Unauthorized = "unauthorized",
        /// The token lacks a scope.
        Forbidden = "forbidden",
        /// The client exceeded its rate limit.
        RateLimited = "rate_limited",
        /// The service refused the request at once because of its load.
        Overloaded = "overloaded",
        /// No node of the shard could do it.
        Unavailable = "unavailable",
        /// A change was sent to Redis, and its result is not known.
        WriteUnconfirmed = "write_unconfirmed",
        /// The shard did not answer within the deadline.
        DeadlinePassed = "deadline_passed",
        /// The Redis node is out of memory.
        OutOfMemory = "out_of_memory",
        /// A sealed value cannot be decrypted.
        DecryptionFailed = "decryption_failed",
        /// The service has a defect, or a stored value cannot be read.
        InternalError = "internal_error",
        /// The caller closed the connection or stream before the response.
        Cancelled = "cancelled",
    }
);

impl Outcome {
    /// Returns true if the outcome is a failure of the service and not an error of its caller.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Overloaded
            | Self::Unavailable
            | Self::WriteUnconfirmed
            | Self::DeadlinePassed
            | Self::OutOfMemory
            | Self::DecryptionFailed
            | Self::InternalError => true,
            Self::Success
            | Self::NotFound
            | Self::TooFewReplicas
            | Self::Conflict
            | Self::Limited
            | Self::ClientError
            | Self::Unauthorized
            | Self::Forbidden
            | Self::RateLimited
            | Self::Cancelled => false,
        }
    }
}

label!(
    /// The kind of a request: its endpoint and, on `/cache`, its command.
    Kind {
        /// One READ.
        Read = "read",
        /// One WRITE.
        Write = "write",
        /// One DELETE.
        Delete = "delete",
        /// One TOUCH.
        Touch = "touch",
        /// One TTL.
        Ttl = "ttl",
        /// One EXISTS.
        Exists = "exists",
        /// One INCREMENT.
        Increment = "increment",
        /// One RATE_LIMIT.
        RateLimit = "rate_limit",
        /// An array of commands.
        Batch = "batch",
        /// A request to `/cache` that was refused before its body was parsed.
        Unparsed = "none",
        /// `/login`.
        Login = "login",
        /// `/version`.
        Version = "version",
        /// `/healthz`.
        Healthz = "healthz",
        /// `/readyz`.
        Readyz = "readyz",
        /// The documentation of the interface.
        Docs = "docs",
        /// `/metrics`.
        Metrics = "metrics",
        /// The console.
        Console = "console",
        /// Any other path.
        Other = "other",
    }
);

impl From<CommandName> for Kind {
    fn from(command: CommandName) -> Self {
        match command {
            CommandName::Read => Self::Read,
            CommandName::Write => Self::Write,
            CommandName::Delete => Self::Delete,
            CommandName::Touch => Self::Touch,
            CommandName::Ttl => Self::Ttl,
            CommandName::Exists => Self::Exists,
            CommandName::Increment => Self::Increment,
            CommandName::RateLimit => Self::RateLimit,
        }
    }
}

impl Kind {
    /// Returns the value of the label `endpoint`.
    pub fn endpoint(self) -> &'static str {
        if self.is_of_cache() { "cache" } else { self.name() }
    }

    /// Returns the value of the label `command`; `none` for a request without a command.
    pub fn command(self) -> &'static str {
        if self.is_of_cache() { self.name() } else { "none" }
    }

    /// Returns the kinds of commands, the last of which stands for commands that could not be parsed.
    pub(super) fn commands() -> impl Iterator<Item = Self> {
        CommandName::ALL.into_iter().map(Self::from).chain([Self::Unparsed])
    }

    /// Returns true for a request to `/cache`.
    pub(super) fn is_of_cache(self) -> bool {
        self == Self::Batch || Self::commands().any(|command| self == command)
    }
}

label!(
    /// The cause of a request's refusal under load.
    Shed {
        /// The limit on concurrent requests is reached.
        Requests = "requests",
        /// The limit on the memory for bodies of requests is reached.
        Memory = "memory",
        /// The limit on the memory for replies is reached.
        Replies = "replies",
        /// The limit on commands in flight to a node is reached.
        Node = "node",
    }
);

label!(
    /// The cause for which a connection was closed at once.
    ConnectionRefusal {
        /// All places are taken by connections that have authenticated.
        Places = "places",
        /// The address of the client has as many connections as one address may have.
        Address = "address",
    }
);

label!(
    /// The cause of a read's answer from another node than the preferred one of its key.
    Fallback {
        /// The preferred node was asked and failed.
        Failed = "failed",
        /// The preferred node was known to be unreadable.
        Unreadable = "unreadable",
        /// The preferred node may lack a change that the read must see.
        NotFresh = "not_fresh",
        /// The preferred node was slow, and the hedged read answered first.
        Slow = "slow",
    }
);

label!(
    /// The kind of a redirection by a node of a Redis Cluster.
    RedirectionKind {
        /// The slot belongs to another node.
        Moved = "moved",
        /// The slot is moving, and this key is at another node.
        Ask = "ask",
    }
);

label!(
    /// The outcome of opening a sealed value that was read.
    OpenOutcome {
        /// The value was decrypted.
        Opened = "opened",
        /// The key that sealed the value is not configured.
        UnknownKey = "unknown_key",
        /// The value was changed, or belongs to another key.
        NotAuthentic = "not_authentic",
        /// The value is not sealed, and the settings allow only sealed values.
        NotSealed = "not_sealed",
    }
);

label!(
    /// The outcome of a lookup in a cache of this process: that of verified tokens or the near cache.
    Lookup {
        /// The entry was there.
        Hit = "hit",
        /// The entry was not there.
        Miss = "miss",
    }
);

label!(
    /// The outcome of a login.
    LoginOutcome {
        /// A token was issued.
        Success = "success",
        /// The API key is not valid.
        Refused = "refused",
        /// The login was malformed, refused under load, or abandoned by its caller.
        Failed = "failed",
    }
);

label!(
    /// The outcome of a reload of the settings.
    ReloadOutcome {
        /// The settings took effect.
        Applied = "applied",
        /// The settings have an error, and nothing changed.
        Refused = "refused",
    }
);

label!(
    /// The outcome of the export of a span.
    SpanOutcome {
        /// The collector accepted the span.
        Sent = "sent",
        /// The queue of spans was full.
        Dropped = "dropped",
        /// The collector did not accept the span.
        Failed = "failed",
    }
);

label!(
    /// A port that the service listens on.
    Listener {
        /// The HTTPS port.
        Service = "service",
        /// The admin port.
        Admin = "admin",
    }
);

label!(
    /// The cause of a failed command, as its shard knows it.
    ShardFailure {
        /// The master is not reachable, and the command needs it or found no replica.
        MasterDown = "master_down",
        /// The node that was asked refused the command, or no node may answer it now.
        Refused = "refused",
        /// Two nodes call themselves master, and neither is proven.
        TwoMasters = "two_masters",
        /// The master came back without data that its replicas have.
        MasterHeld = "master_held",
        /// A change was sent, and its result is not known.
        Unconfirmed = "unconfirmed",
        /// The shard did not answer within the deadline.
        DeadlinePassed = "deadline_passed",
        /// Too many commands wait for the shard's answers.
        Overloaded = "overloaded",
        /// The master has no memory left.
        OutOfMemory = "out_of_memory",
    }
);

label!(
    /// The cause of a node's failure to execute a command.
    NodeFailure {
        /// There is no connection to the node.
        NotConnected = "not_connected",
        /// The connection was lost before the reply.
        Lost = "lost",
        /// The node did not reply in time.
        TimedOut = "timed_out",
        /// The limit on commands in flight to the node is reached.
        Busy = "busy",
        /// The node answered a command that was sent alone with an error.
        Answered = "answered",
        /// The node replied with something that the command never returns.
        Unexpected = "unexpected",
    }
);

label!(
    /// The state of the connection to a node.
    LinkState {
        /// A connection is open.
        Up = "up",
        /// The first attempt, or the first one after a loss, is under way.
        Connecting = "connecting",
        /// The last attempt failed.
        Down = "down",
    }
);

label!(
    /// The role of a node in its shard.
    NodeRole {
        /// The node that writes go to.
        Master = "master",
        /// Every other node.
        Replica = "replica",
    }
);

label!(
    /// The part of the service that an inspected answer came from.
    AnswerSource {
        /// The master of the key's shard.
        Master = "master",
        /// Another node of the shard.
        Replica = "replica",
        /// The near cache.
        NearCache = "near_cache",
    }
);

label!(
    /// A promise about the age of answers.
    Promise {
        /// A read shows the changes that this instance has acknowledged before it.
        OwnChange = "own_change",
        /// A read with a sync token shows everything that the token covers.
        SyncToken = "sync_token",
        /// A read that asks for the master shows what the master has.
        Master = "master",
        /// A value leaves the near cache when its node reports a change of the key.
        Invalidation = "invalidation",
    }
);

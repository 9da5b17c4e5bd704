//! The sections of the runbooks, docs/operations.md, that the console refers to.

/// A section of the runbooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runbook {
    /// Requests fail because of the service.
    ErrorRatio,
    /// A shard has no master.
    NoMaster,
    /// No node of a shard can be read.
    Unreadable,
    /// Two nodes call themselves master.
    Contested,
    /// The master came back without data.
    MasterWithoutData,
    /// A replica is down.
    ReplicaDown,
    /// Logins are refused.
    LoginsRefused,
    /// Values cannot be decrypted.
    Decryption,
    /// The certificate ends soon.
    Certificate,
    /// An answer was older than promised.
    OldAnswer,
}

impl Runbook {
    /// All sections.
    #[cfg(test)]
    pub const ALL: [Self; 10] = [
        Self::ErrorRatio,
        Self::NoMaster,
        Self::Unreadable,
        Self::Contested,
        Self::MasterWithoutData,
        Self::ReplicaDown,
        Self::LoginsRefused,
        Self::Decryption,
        Self::Certificate,
        Self::OldAnswer,
    ];

    /// Returns the heading of the section.
    pub fn heading(self) -> &'static str {
        match self {
            Self::ErrorRatio => "CachefrontErrorRatio",
            Self::NoMaster => "CachefrontShardWithoutMaster",
            Self::Unreadable => "CachefrontShardUnreadable",
            Self::Contested => "CachefrontShardContested",
            Self::MasterWithoutData => "CachefrontMasterWithoutData",
            Self::ReplicaDown => "CachefrontReplicaDown",
            Self::LoginsRefused => "CachefrontLoginsRefused",
            Self::Decryption => "CachefrontDecryptionFails",
            Self::Certificate => "CachefrontCertificateExpiresSoon",
            Self::OldAnswer => "CachefrontAnswerOlderThanPromised",
        }
    }
}

/// Returns the anchor of the section with this heading on the page of the runbooks.
pub fn anchor(heading: &str) -> String {
    heading.to_ascii_lowercase()
}

/// Returns the path of the section with this heading, on the admin port.
pub fn path(heading: &str) -> String {
    format!("console/runbook#{}", anchor(heading))
}

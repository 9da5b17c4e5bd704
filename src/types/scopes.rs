//! The permissions of a client.

use std::fmt;

/// One permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// READ is allowed.
    Read = 1,
    /// WRITE is allowed.
    Write = 2,
    /// DELETE is allowed.
    Delete = 4,
}

impl Scope {
    /// All permissions.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Delete];

    /// Returns the name in tokens and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// The empty set.
    pub const NONE: Self = Self(0);
    /// The set of all permissions.
    pub const ALL: Self = Self(7);

    /// Returns true if the set has the permission.
    pub fn allows(self, scope: Scope) -> bool {
        self.0 & scope as u8 != 0
    }

    /// Returns true if the set has no permission.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the permissions that both sets have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the permissions among names separated by spaces or commas. Other names are left out.
    pub fn known_in(text: &str) -> Self {
        let known = text.split([',', ' ']).filter_map(Scope::named);
        Self(known.fold(0, |bits, scope| bits | scope as u8))
    }

    /// Parses names separated by commas or spaces. The error has the first unknown name.
    pub fn parse(text: &str) -> Result<Self, UnknownScope> {
        let mut bits = 0;
        for name in text.split([',', ' ']).filter(|name| !name.is_empty()) {
            bits |= Scope::named(name).ok_or_else(|| UnknownScope(name.to_owned()))? as u8;
        }
        Ok(Self(bits))
    }
}

/// A name that is not that of a permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is none of: read, write, delete")]
pub struct UnknownScope(pub String);

impl fmt::Display for Scopes {
    /// Writes the names separated by spaces, the form of a token's `scope` claim (RFC 8693 §4.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Scope::ALL.into_iter().filter(|scope| self.allows(*scope));
        for (position, scope) in held.enumerate() {
            let gap = if position == 0 { "" } else { " " };
            write!(f, "{gap}{}", scope.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_round_trip_through_their_text() {
        for text in ["", "read", "read delete", "read write delete"] {
            assert_eq!(Scopes::parse(text).map(|scopes| scopes.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(Scopes::known_in("openid write  read,delete offline_access"), Scopes::ALL);
        assert_eq!(Scopes::known_in("readwrite"), Scopes::NONE);
        assert_eq!(Scopes::parse("read, admin"), Err(UnknownScope("admin".to_owned())));
    }
}

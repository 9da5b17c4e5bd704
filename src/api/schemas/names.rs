//! Texts of which there are few.

use serde::Serialize;
use utoipa::ToSchema;

/// Defines enums with one value. A field of such a type has no comment of its own: it is described by that of the type.
macro_rules! only_values {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:ident, $text:tt;)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Serialize, ToSchema)]
            #[expect(dead_code, reason = "described, never made")]
            pub enum $name {
                #[serde(rename = $text)]
                $value,
            }
        )+
    };
}

only_values! {
    /// The name of a READ.
    ReadNameSchema = Read, "READ";
    /// The name of a WRITE.
    WriteNameSchema = Write, "WRITE";
    /// The name of a DELETE.
    DeleteNameSchema = Delete, "DELETE";
    /// The name of a TOUCH.
    TouchNameSchema = Touch, "TOUCH";
    /// The name of a TTL.
    TtlNameSchema = Ttl, "TTL";
    /// The name of an EXISTS.
    ExistsNameSchema = Exists, "EXISTS";
    /// The name of an INCREMENT.
    IncrementNameSchema = Increment, "INCREMENT";
    /// The name of a RATE_LIMIT.
    RateLimitNameSchema = RateLimit, "RATE_LIMIT";
    /// `master` reads from the master, which is never behind. Without it, a replica may answer.
    ConsistencySchema = Master, "master";
    /// The grant type of a login.
    GrantTypeSchema = ClientCredentials, "client_credentials";
    /// The scheme of the header `Authorization`.
    TokenTypeSchema = Bearer, "Bearer";
    /// The value is the base64 of bytes.
    EncodingSchema = Base64, "base64";
    /// The status of an error.
    ErrorStatusSchema = Error, "ERROR";
}

/// The name of a command.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = CommandName)]
#[expect(dead_code, reason = "described, never made")]
pub enum CommandNameSchema {
    Read,
    Write,
    Delete,
    Touch,
    Ttl,
    Exists,
    Increment,
    RateLimit,
}

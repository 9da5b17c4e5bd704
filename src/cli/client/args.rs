//! The arguments of the client commands. Their own options come before those of the service, which the help lists under a
//! heading of their own.

use super::service_args::ServiceArgs;
use clap::{Args, ValueEnum};

/// The key of a command, its service and its output.
#[derive(Args)]
pub struct KeyArgs {
    /// The key
    #[arg(index = 1)]
    pub key: String,
    /// Print `text`, such as the value alone, or `json`, the reply of the service as it is
    #[arg(long, value_enum, value_name = "FORM", default_value_t = OutputForm::Text, hide_possible_values = true)]
    pub output: OutputForm,
    /// The service.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// The form in which an answer is printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    /// The value or the number alone.
    Text,
    /// The reply of the service as it is.
    Json,
}

/// Arguments of `cachefront write`.
#[derive(Args)]
pub struct WriteArgs {
    /// The value; `-` reads standard input
    #[arg(index = 2)]
    pub value: String,
    /// Let the value live for this time; 0: for ever; without it, for the time in the settings of the service
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub expire: Option<i64>,
    /// Take the value for JSON instead of a text
    #[arg(long)]
    pub json: bool,
    /// Encrypt the value before it is stored
    #[arg(long)]
    pub encrypt: bool,
    /// Change nothing if the key exists already
    #[arg(long)]
    pub if_absent: bool,
    /// Wait until this many replicas have the value
    #[arg(long, value_name = "COUNT")]
    pub replicas: Option<u32>,
    /// The key, its service and its output.
    #[command(flatten)]
    pub key: KeyArgs,
}

/// Arguments of `cachefront touch`.
#[derive(Args)]
pub struct TouchArgs {
    /// Let the value live for this time from now; 0: for ever
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub expire: i64,
    /// The key, its service and its output.
    #[command(flatten)]
    pub key: KeyArgs,
}

/// Arguments of `cachefront increment`.
#[derive(Args)]
pub struct IncrementArgs {
    /// Add this number, which may be negative; without it, 1
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub by: Option<i64>,
    /// Let a number that does not exist yet live for this time
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub expire: Option<i64>,
    /// Do not add a positive number if the result would be larger
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub max: Option<i64>,
    /// Do not add a negative number if the result would be smaller
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub min: Option<i64>,
    /// The key, its service and its output.
    #[command(flatten)]
    pub key: KeyArgs,
}

/// Arguments of `cachefront send`.
#[derive(Args)]
pub struct SendArgs {
    /// A command or an array of commands; `-` reads standard input
    pub json: String,
    /// The service.
    #[command(flatten)]
    pub service: ServiceArgs,
}

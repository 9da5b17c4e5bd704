//! `cachefront read`, `write`, `send` and so on: a small client of a running service.

mod args;
mod printed;
mod reply;
mod request;
mod service_args;
mod session;
mod token_file;

use super::{failure::Failure, output::print};
use args::{IncrementArgs, KeyArgs, OutputForm, SendArgs, TouchArgs, WriteArgs};
use bytes::Bytes;
use clap::Subcommand;
use reply::ServiceReply;
use request::{CommandRequest, read_input};

/// The client commands.
#[derive(Subcommand)]
pub enum ClientCommand {
    /// Print the value of a key.
    #[command(after_help = "\
Example:  cachefront read greeting

A text is printed with a line feed at its end, other JSON as it was written. Bytes go to a file or a pipe, not to a
terminal.

Exit status: 0 found, 1 not found, 2 refused, 64 wrong usage, 69 the service cannot be reached.")]
    Read(KeyArgs),
    /// Store a value under a key.
    #[command(after_help = "\
Examples:  cachefront write greeting hello --expire 3600
           cachefront write user:7 '{\"name\":\"Ada\"}' --json
           cachefront write photo - < photo.jpg
           cachefront write lock:7 worker-3 --if-absent --expire 30
           cachefront write delta -- -5

Exit status: 0 stored, 1 the key exists already (--if-absent), 2 refused, or too few replicas confirmed it, 64 wrong
usage, 69 the service cannot be reached.")]
    Write(WriteArgs),
    /// Delete a key.
    #[command(after_help = "\
Example:  cachefront delete greeting

Exit status: 0 deleted, 1 not found, 2 refused, 64 wrong usage, 69 the service cannot be reached.")]
    Delete(KeyArgs),
    /// Give a key a new time to live.
    #[command(after_help = "\
Example:  cachefront touch session:7 --expire 1800

Exit status: 0 done, 1 not found, 2 refused, 64 wrong usage, 69 the service cannot be reached.")]
    Touch(TouchArgs),
    /// Print the seconds that a key has to live, or `never`.
    #[command(after_help = "\
Example:  cachefront ttl greeting

Exit status: 0 found, 1 not found, 2 refused, 64 wrong usage, 69 the service cannot be reached.")]
    Ttl(KeyArgs),
    /// Find out whether a key exists, by the exit status.
    #[command(after_help = "\
Example:  cachefront exists greeting && echo yes

Exit status: 0 it exists, 1 not found, 2 refused, 64 wrong usage, 69 the service cannot be reached.")]
    Exists(KeyArgs),
    /// Add to a number and print the result.
    #[command(after_help = "\
Examples:  cachefront increment visits --expire 86400
           cachefront increment stock:7 --by -1 --min 0

Exit status: 0 done, 1 the result would pass --min or --max, 2 refused, 64 wrong usage, 69 the service cannot be reached.")]
    Increment(IncrementArgs),
    /// Send a command or a batch in JSON and print the reply.
    #[command(after_help = "\
Examples:  cachefront send '{\"command\":\"READ\",\"key\":\"greeting\",\"consistency\":\"master\"}'
           cachefront send - < batch.json

Exit status: 0 all commands succeeded, 1 one found no key, 2 one was refused, 64 wrong usage, 69 the service cannot be
reached.")]
    Send(SendArgs),
}

/// Sends the command and prints its answer.
pub fn run(command: &ClientCommand) -> Result<(), Failure> {
    match command {
        ClientCommand::Read(args) => exchange(args, &named("READ", args), printed::value),
        ClientCommand::Write(args) => write(args),
        ClientCommand::Delete(args) => exchange(args, &named("DELETE", args), nothing),
        ClientCommand::Touch(args) => {
            let request = CommandRequest { expire: Some(args.expire), ..named("TOUCH", &args.key) };
            exchange(&args.key, &request, nothing)
        }
        ClientCommand::Ttl(args) => exchange(args, &named("TTL", args), |reply| Ok(printed::time_to_live(reply))),
        ClientCommand::Exists(args) => exchange(args, &named("EXISTS", args), nothing),
        ClientCommand::Increment(args) => {
            let IncrementArgs { by, expire, max, min, .. } = *args;
            let request = CommandRequest { expire, by, max, min, ..named("INCREMENT", &args.key) };
            exchange(&args.key, &request, |reply| Ok(printed::number(reply)))
        }
        ClientCommand::Send(args) => send(args),
    }
}

fn named<'a>(command: &'static str, args: &'a KeyArgs) -> CommandRequest<'a> {
    CommandRequest { command, key: &args.key, ..CommandRequest::default() }
}

/// Prints nothing: the exit status says it all.
#[expect(clippy::unnecessary_wraps, reason = "others of its kind fail")]
fn nothing(_: &ServiceReply<'_>) -> Result<Vec<u8>, Failure> {
    Ok(Vec::new())
}

fn write(args: &WriteArgs) -> Result<(), Failure> {
    let (value, encoding) = request::value(&args.value, args.json)?;
    let request = CommandRequest {
        if_absent: args.if_absent.then_some(true),
        value: Some(value),
        encoding,
        expire: args.expire,
        encrypt: args.encrypt.then_some(true),
        replicas: args.replicas,
        ..named("WRITE", &args.key)
    };
    exchange(&args.key, &request, nothing)
}

/// Sends a command and prints the reply to it, or the part of a success that `text` returns.
fn exchange(
    args: &KeyArgs,
    request: &CommandRequest<'_>,
    text: impl FnOnce(&ServiceReply<'_>) -> Result<Vec<u8>, Failure>,
) -> Result<(), Failure> {
    let answer = session::send(&args.service, &request.to_body()?)?;
    let reply = ServiceReply::parse(&answer)?;
    if args.output == OutputForm::Json {
        print_reply(&answer.body)?;
    }
    if let Some(failure) = reply.failure(&answer, Some(&args.key)) {
        return Err(failure);
    }
    if args.output == OutputForm::Text { print(text(&reply)?) } else { Ok(()) }
}

fn send(args: &SendArgs) -> Result<(), Failure> {
    let body = if args.json == "-" { read_input()? } else { args.json.clone().into_bytes() };
    let answer = session::send(&args.service, &Bytes::from(body))?;
    print_reply(&answer.body)?;
    reply::failure_of_any(&answer).map_or(Ok(()), Err)
}

/// Prints a reply as it is, on a line of its own.
fn print_reply(body: &[u8]) -> Result<(), Failure> {
    let end: &[u8] = if body.ends_with(b"\n") { b"" } else { b"\n" };
    print([body, end].concat())
}

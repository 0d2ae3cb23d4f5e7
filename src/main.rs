//! The front door: reads the command line and runs one command.

use std::process::ExitCode;

fn main() -> ExitCode {
    creatorvault::cli::run(std::env::args_os())
}

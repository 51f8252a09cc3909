//! The command `lagoa`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(lagoa::cli::run(std::env::args_os().collect()))
}

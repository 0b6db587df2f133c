//! The command `egb`, for the tests `cli_*.rs`.

fn main() -> std::process::ExitCode {
    egb::__cli::main()
}

//! The command `egb`. All of it is in `cli`.

fn main() -> std::process::ExitCode {
    egb::__cli::main()
}

//! placeholder
#[derive(Debug, clap::Args)]
/// x
pub struct Args {}
/// x
pub async fn run(_: Args) -> anyhow::Result<()> { Ok(()) }

//! `afferent admin archive rotate-…`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::archive::given::GivenMaster;
use crate::archive::master::{FileMaster, Master};
use crate::archive::{Archive, Period};
use crate::config::Config;
use crate::id::TenantId;
use crate::store::Act;
use crate::time::{Clock as _, SystemClock};

/// The master key to come [default: a new one is made in the data directory].
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "New master key [default: one is made in the data directory]")]
pub(super) struct NewMaster {
    /// File with its 32 bytes, or 64 hex digits.
    #[arg(id = "new_key_file", long = "new-key-file", conflicts_with = "new_pkcs11_module")]
    key_file: Option<PathBuf>,
    /// Library of a PKCS#11 token that has it.
    #[arg(id = "new_pkcs11_module", long = "new-pkcs11-module", requires_all = ["new_pkcs11_token", "new_pkcs11_key", "new_pkcs11_pin_file"])]
    pkcs11_module: Option<PathBuf>,
    /// Label of the token.
    #[arg(id = "new_pkcs11_token", long = "new-pkcs11-token")]
    pkcs11_token: Option<String>,
    /// Label of the AES-256 key in it.
    #[arg(id = "new_pkcs11_key", long = "new-pkcs11-key")]
    pkcs11_key: Option<String>,
    /// File with the PIN of the token's user.
    #[arg(id = "new_pkcs11_pin_file", long = "new-pkcs11-pin-file")]
    pkcs11_pin_file: Option<PathBuf>,
}

impl NewMaster {
    pub(super) async fn run(self, config: &Config, archive: &Archive, by: &str) -> anyhow::Result<()> {
        let given = GivenMaster {
            master_key_file: self.key_file,
            pkcs11_module: self.pkcs11_module,
            pkcs11_token: self.pkcs11_token,
            pkcs11_key: self.pkcs11_key,
            pkcs11_pin_file: self.pkcs11_pin_file,
            ..GivenMaster::default()
        };
        let master: Master = match given.open()? {
            Some(master) => master,
            None => Arc::new(FileMaster::create(&config.archive.key_directory())?),
        };
        let old = archive.keyring().master_id().to_owned();
        let detail = format!("from {old} to {}", master.id());
        let act =
            Act { who: by, action: "rotate-master-key", tenant: None, device: None, period: None, detail: &detail };
        let keys = archive.keyring().rewrap(&master, act).await?;
        println!("{keys} data keys are wrapped by master key {}", master.id());
        println!("restart the server with it; then destroy {old}: copies of keys it wrapped are in old backups");
        Ok(())
    }
}

pub(super) async fn rotate_data_key(archive: &Archive, tenant: &TenantId, by: &str) -> anyhow::Result<()> {
    let period = Period::of(SystemClock.now());
    let name = period.to_string();
    let act =
        Act { who: by, action: "rotate-data-key", tenant: Some(tenant), device: None, period: Some(&name), detail: "" };
    println!("{}", archive.keyring().rotate(tenant, period, act).await?);
    Ok(())
}

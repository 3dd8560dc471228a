//! A directory. Files appear whole or not at all and cannot be written to; only whoever may write to the directory can take
//! one away, which the chain then shows.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Home, HomeError, Item, Removal};
use crate::archive::key::random;

/// An archive in a directory.
#[derive(Debug, Clone)]
pub struct LocalHome {
    root: PathBuf,
}

/// The folder files are in until they are whole.
const DRAFTS: &str = "drafts";

/// What a file under a name is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Create,
    Replace,
}

impl LocalHome {
    /// The archive in this directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Runs what blocks on a thread where it may.
    async fn run<T: Send + 'static>(
        &self,
        path: &str,
        work: impl FnOnce(&Path, &Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, HomeError> {
        let (root, file) = (self.root.clone(), self.root.join(path));
        let done = tokio::task::spawn_blocking(move || work(&root, &file)).await;
        let error = |source| HomeError::Disk { path: self.root.join(path).display().to_string(), source };
        done.map_err(|error| io::Error::other(error.to_string())).and_then(|done| done).map_err(error)
    }
}

#[async_trait]
impl Home for LocalHome {
    async fn create(&self, path: &str, bytes: &[u8]) -> Result<(), HomeError> {
        let bytes = bytes.to_vec();
        let created = self.run(path, move |root, file| write(root, file, &bytes, Writing::Create)).await?;
        if created { Ok(()) } else { Err(HomeError::Taken(path.to_owned())) }
    }

    async fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), HomeError> {
        let bytes = bytes.to_vec();
        self.run(path, move |root, file| write(root, file, &bytes, Writing::Replace)).await?;
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, HomeError> {
        self.run(path, |_, file| absent(fs::read(file))).await
    }

    async fn files(&self, folder: &str) -> Result<Vec<Item>, HomeError> {
        let names = self.run(folder, |_, folder| entries(folder, fs::FileType::is_file)).await?;
        let item = |(name, size)| Item { path: format!("{folder}/{name}"), size };
        Ok(names.into_iter().map(item).collect())
    }

    async fn folders(&self, folder: &str) -> Result<Vec<String>, HomeError> {
        let names = self.run(folder, |_, folder| entries(folder, fs::FileType::is_dir)).await?;
        Ok(names.into_iter().map(|(name, _)| name).collect())
    }

    async fn remove(&self, path: &str) -> Result<Removal, HomeError> {
        self.run(path, |_, file| {
            if absent(fs::remove_file(file))?.is_some() {
                sync(file.parent())?;
            }
            Ok(Removal::Gone)
        })
        .await
    }

    async fn tidy(&self) -> Result<(), HomeError> {
        self.run(DRAFTS, |_, drafts| absent(fs::remove_dir_all(drafts)).map(drop)).await
    }
}

/// Writes it elsewhere, syncs, and gives it its name. Whether it could: not where another file has the name.
fn write(root: &Path, file: &Path, bytes: &[u8], writing: Writing) -> io::Result<bool> {
    let folder = file.parent().unwrap_or(root);
    make(root, folder)?;
    let random: [u8; 8] = random().map_err(io::Error::other)?;
    let drafts = root.join(DRAFTS);
    make(root, &drafts)?;
    let draft = drafts.join(hex::encode(random));
    let named = fill(&draft, bytes).and_then(|()| match writing {
        Writing::Replace => fs::rename(&draft, file).map(|()| true),
        // A link is made only where there is nothing of the name; a rename would replace it.
        Writing::Create => match fs::hard_link(&draft, file) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(fs::read(file)? == bytes),
            linked => linked.map(|()| true),
        },
    });
    let _ = fs::remove_file(&draft);
    let named = named?;
    sync(Some(folder))?;
    Ok(named)
}

fn fill(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o400).open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a folder under `root`, and each above it, durably.
fn make(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if folder == root {
        return fs::DirBuilder::new().recursive(true).mode(0o700).create(root);
    }
    if let Some(parent) = folder.parent() {
        make(root, parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    sync(folder.parent())
}

fn sync(folder: Option<&Path>) -> io::Result<()> {
    folder.map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Names and sizes of what is in a folder, in order; nothing where it is not there.
fn entries(folder: &Path, wanted: fn(&fs::FileType) -> bool) -> io::Result<Vec<(String, u64)>> {
    let mut names = Vec::new();
    for entry in absent(fs::read_dir(folder))?.into_iter().flatten() {
        let entry = entry?;
        if !wanted(&entry.file_type()?) {
            continue;
        }
        // It may have been a draft, gone by now.
        let Some(metadata) = absent(entry.metadata())? else { continue };
        names.extend(entry.file_name().into_string().ok().map(|name| (name, metadata.len())));
    }
    names.sort();
    Ok(names)
}

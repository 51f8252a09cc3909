//! Installs the sandbox's Python: a virtual environment and our program, both named by what is in
//! them, so that a new version of lagoa never disturbs a sandbox that runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::{SandboxError, failed, lock, make_directory};

/// moto's oldest Python.
pub const OLDEST_PYTHON: (u32, u32) = (3, 10);

const REQUIREMENTS: &str = include_str!("plugin/requirements.txt");
const PACKAGE: &str = "lagoa_sandbox";

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("plugin/", $name)))),*]
    };
}

/// The program, file by file.
const SOURCES: &[(&str, &str)] = sources![
    "__init__.py",
    "__main__.py",
    "announcement.py",
    "app.py",
    "binaries.py",
    "calls.py",
    "census.py",
    "databases.py",
    "dms.py",
    "dms_endpoints.py",
    "dms_instances.py",
    "dms_load.py",
    "dms_store.py",
    "dms_tasks.py",
    "ec2.py",
    "ec2_nat_gateways.py",
    "ec2_network.py",
    "ec2_vpc_endpoints.py",
    "eks.py",
    "eks_access.py",
    "eks_nodes.py",
    "eks_rules.py",
    "eks_things.py",
    "emr.py",
    "emr_clusters.py",
    "emr_serverless.py",
    "enforcement.py",
    "fork.py",
    "iam.py",
    "iam_providers.py",
    "json_services.py",
    "kms.py",
    "latency.py",
    "logs.py",
    "mariadb.py",
    "missing.py",
    "patching.py",
    "postgres.py",
    "processes.py",
    "quick_start.py",
    "rds.py",
    "rds_cluster_groups.py",
    "rds_clusters.py",
    "rds_engines.py",
    "rds_fields.py",
    "rds_groups.py",
    "rds_rules.py",
    "redshift.py",
    "redshift_data.py",
    "redshift_dialect.py",
    "redshift_groups.py",
    "redshift_serverless.py",
    "request_log.py",
    "s3.py",
    "secrets_manager.py",
    "settings.py",
    "ssm.py",
    "tagging.py",
    "templates.py",
    "unmark.py",
    "validation.py",
    "warehouse.py",
    "warm_up.py",
];

/// What it takes to start the sandbox.
pub struct Program {
    /// The Python of the virtual environment.
    pub python: PathBuf,
    /// The directory that holds our package.
    pub path: PathBuf,
    /// The package to run.
    pub package: &'static str,
}

/// Install what is missing.
pub async fn install(
    cache: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Program, SandboxError> {
    make_directory(cache)?;
    let _lock = lock(&cache.join("install.lock")).await?;
    Ok(Program {
        python: virtual_environment(cache, progress).await?,
        path: plugin(cache)?,
        package: PACKAGE,
    })
}

async fn virtual_environment(
    cache: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<PathBuf, SandboxError> {
    let directory = cache.join(format!("venv-{}", digest([REQUIREMENTS])));
    let python = directory.join("bin/python");
    // Written last: without it, an installation was interrupted.
    let complete = directory.join("complete");
    if complete.is_file() && has_moto(&python).await {
        return Ok(python);
    }
    let base = check_python().await?;
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(|e| failed("cannot remove", &directory, e))?;
    }
    progress("creating a Python environment for the sandbox (only once)");
    create(&base, &directory).await?;
    progress("installing moto into it (only once)");
    pip_install(&python, &directory).await?;
    fs::write(&complete, "").map_err(|e| failed("cannot write", &complete, e))?;
    Ok(python)
}

/// Whether the environment still works: an upgrade of the system's Python breaks it.
async fn has_moto(python: &Path) -> bool {
    let asked = "import importlib.util as u; u.find_spec('moto') or exit(1)";
    let ran = Command::new(python).args(["-c", asked]).output().await;
    ran.is_ok_and(|output| output.status.success())
}

/// Find python3, and refuse one that is too old.
async fn check_python() -> Result<PathBuf, SandboxError> {
    let asked = "import sys; print(sys.version_info[0], sys.version_info[1])";
    let ran = Command::new("python3").args(["-c", asked]).output().await;
    let Ok(output) = ran else {
        let found = "there is no python3 on the PATH".to_owned();
        return Err(SandboxError::Python { found });
    };
    let said = text(&output);
    let mut numbers = said.split_whitespace().map(|word| word.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST_PYTHON => Ok("python3".into()),
        (Some(major), Some(minor)) => {
            Err(SandboxError::Python { found: format!("this is Python {major}.{minor}") })
        }
        _ => Err(SandboxError::Python { found: format!("python3 says: {}", last_lines(&said)) }),
    }
}

async fn create(base: &Path, directory: &Path) -> Result<(), SandboxError> {
    let made = Command::new(base).args(["-m", "venv"]).arg(directory).output().await;
    let output = made.map_err(|e| failed("cannot create", directory, e))?;
    if output.status.success() {
        return Ok(());
    }
    Err(SandboxError::Venv {
        debian: Path::new("/etc/debian_version").exists(),
        output: last_lines(&text(&output)),
    })
}

async fn pip_install(python: &Path, directory: &Path) -> Result<(), SandboxError> {
    let list = directory.join("requirements.txt");
    fs::write(&list, REQUIREMENTS).map_err(|e| failed("cannot write", &list, e))?;
    let ran = Command::new(python)
        // The list is complete: dependencies beyond it are what we leave out on purpose. Most of
        // what is installed is never imported, so Python may compile what it needs when it does.
        .args(["-m", "pip", "install", "--no-deps", "--no-compile", "--no-input", "-r"])
        .arg(&list)
        .output()
        .await;
    let output = ran.map_err(|e| failed("cannot run", python, e))?;
    if output.status.success() {
        return Ok(());
    }
    let output = last_lines(&text(&output));
    Err(SandboxError::Pip { output })
}

/// Write our program, unless it is there.
fn plugin(cache: &Path) -> Result<PathBuf, SandboxError> {
    let contents = SOURCES.iter().flat_map(|(name, source)| [*name, *source]);
    let directory = cache.join(format!("plugin-{}", digest(contents)));
    if directory.is_dir() {
        return Ok(directory);
    }
    let draft = cache.join("plugin-new");
    let _ = fs::remove_dir_all(&draft);
    let package = draft.join(PACKAGE);
    make_directory(&package)?;
    for (name, source) in SOURCES {
        let path = package.join(name);
        fs::write(&path, source).map_err(|e| failed("cannot write", &path, e))?;
    }
    fs::rename(&draft, &directory).map_err(|e| failed("cannot create", &directory, e))?;
    Ok(directory)
}

fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
        hash.update([0]);
    }
    let bytes = hash.finalize();
    bytes.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// The end of a long output, where the reason is.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_embedded() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sandbox/plugin");
        let mut present: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".py"))
            .collect();
        present.sort();
        let embedded: Vec<&str> = SOURCES.iter().map(|(name, _)| *name).collect();
        assert_eq!(embedded, present);
    }

    #[test]
    fn every_requirement_is_pinned() {
        let listed = REQUIREMENTS.lines().filter(|line| !line.starts_with('#'));
        for line in listed {
            assert!(line.contains("=="), "{line} has no version");
        }
    }
}

//! The files that TLS needs: authorities, and the box's own certificate and key.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{limits, tls_config::ClientCertificate};

/// Where systems keep the authorities that they trust; the first that is there counts.
const SYSTEM: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"];

/// The files, by name.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) ca_file: Option<PathBuf>,
    pub(super) client: Option<ClientCertificate>,
}

/// What was in them.
pub(super) struct Material {
    pub(super) roots: Arc<RootCertStore>,
    pub(super) client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

/// Tells whether a file is still the one that was read.
pub(super) type Stamp = Vec<Option<(SystemTime, u64)>>;

impl Files {
    /// Looks at the files without reading them.
    pub(super) fn stamp(&self) -> Stamp {
        let client =
            self.client.iter().flat_map(|client| [client.certificate.as_path(), client.key.as_path()]);
        let stamp = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        self.authorities().into_iter().chain(client).map(stamp).collect()
    }

    /// Reads them.
    ///
    /// # Errors
    /// Which file is missing, unreadable, open to others or without what it should hold.
    pub(super) fn read(&self) -> Result<Material, String> {
        let client = self.client.as_ref().map(read_client).transpose()?;
        Ok(Material { roots: Arc::new(self.read_roots()?), client })
    }

    fn authorities(&self) -> Vec<&Path> {
        match &self.ca_file {
            Some(file) => vec![file],
            None => SYSTEM.map(Path::new).to_vec(),
        }
    }

    fn read_roots(&self) -> Result<RootCertStore, String> {
        let files = self.authorities();
        let file = files.iter().find(|file| file.exists()).or(files.first());
        let Some(file) = file.copied() else { return Ok(RootCertStore::empty()) };
        let certificates = certificates(file, limits::CA_FILE_BYTES)?;
        let mut roots = RootCertStore::empty();
        if self.ca_file.is_some() {
            for certificate in certificates {
                roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
            }
        } else {
            // Among the many of a system there are some that nobody can use.
            roots.add_parsable_certificates(certificates);
        }
        if roots.is_empty() { Err(format!("{}: there is no certificate", file.display())) } else { Ok(roots) }
    }
}

fn read_client(
    files: &ClientCertificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = certificates(&files.certificate, limits::CERTIFICATE_FILE_BYTES)?;
    if chain.is_empty() {
        return Err(format!("{}: there is no certificate", files.certificate.display()));
    }
    let path = files.key.display();
    let found = fs::metadata(&files.key).map_err(|error| format!("{path}: {error}"))?;
    if found.permissions().mode() & 0o077 != 0 {
        return Err(format!("{path}: the private key is open to others than its owner; chmod 600 it"));
    }
    let text = contents(&files.key, limits::CERTIFICATE_FILE_BYTES)?;
    // Without the error of the parser: nothing of a key belongs into a text.
    let key = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| format!("{path}: there is no private key in PEM"))?;
    Ok((chain, key))
}

fn certificates(path: &Path, limit: u64) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = contents(path, limit)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    read.map_err(|error| format!("{}: {error}", path.display()))
}

fn contents(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| format!("{}: {error}", path.display()))?;
    if bytes.len() as u64 > limit {
        return Err(format!("{}: larger than {limit} bytes", path.display()));
    }
    Ok(bytes)
}

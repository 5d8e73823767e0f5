//! The files that TLS needs: authorities, and the box's own certificate and key.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::task::spawn_blocking;

use crate::{
    limits,
    tls_config::{ClientCertificate, Material, MaterialSource, PemFile, Stamp},
};

/// Where systems keep the authorities that they trust; the first that is there counts.
const SYSTEM: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"];

/// The files of this box, by name.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// As in [`crate::TlsConfig`].
    pub ca_file: Option<PathBuf>,
    /// As in [`crate::TlsConfig`].
    pub client: Option<ClientCertificate>,
}

#[async_trait(?Send)]
impl MaterialSource for TlsFiles {
    async fn read(&self, known: Option<Stamp>) -> Result<Option<Material>, String> {
        let files = self.clone();
        let read = spawn_blocking(move || {
            // Stamped before they are read: a change in between is seen the next time.
            let stamp = files.stamp();
            if known.as_ref() == Some(&stamp) { Ok(None) } else { files.contents(stamp).map(Some) }
        });
        read.await.map_err(|_| "the program is ending".to_owned())?
    }
}

impl TlsFiles {
    /// Looks at the files without reading them.
    fn stamp(&self) -> Stamp {
        let client =
            self.client.iter().flat_map(|client| [client.certificate.as_path(), client.key.as_path()]);
        let stamp = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        self.authorities().into_iter().chain(client).map(stamp).collect()
    }

    fn contents(&self, stamp: Stamp) -> Result<Material, String> {
        let client = self.client.as_ref().map(read_client).transpose()?;
        let files = self.authorities();
        let file = files.iter().find(|file| file.exists()).or(files.first());
        let authorities = file.map(|file| contents(file, limits::CA_FILE_BYTES)).transpose()?;
        Ok(Material { stamp, authorities, strict: self.ca_file.is_some(), client })
    }

    fn authorities(&self) -> Vec<&Path> {
        match &self.ca_file {
            Some(file) => vec![file],
            None => SYSTEM.map(Path::new).to_vec(),
        }
    }
}

fn read_client(files: &ClientCertificate) -> Result<(PemFile, PemFile), String> {
    let chain = contents(&files.certificate, limits::CERTIFICATE_FILE_BYTES)?;
    let path = files.key.display();
    let found = fs::metadata(&files.key).map_err(|error| format!("{path}: {error}"))?;
    if found.permissions().mode() & 0o077 != 0 {
        return Err(format!("{path}: the private key is open to others than its owner; chmod 600 it"));
    }
    Ok((chain, contents(&files.key, limits::CERTIFICATE_FILE_BYTES)?))
}

fn contents(path: &Path, limit: u64) -> Result<PemFile, String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = read().map_err(|error| format!("{}: {error}", path.display()))?;
    if text.len() as u64 > limit {
        return Err(format!("{}: larger than {limit} bytes", path.display()));
    }
    Ok(PemFile { name: path.display().to_string(), text })
}

/// The authorities in the files.
///
/// # Errors
/// Which file holds none, or one that nobody can use.
pub(super) fn roots(material: &Material) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(file) = &material.authorities else { return Ok(roots) };
    let certificates = certificates(file)?;
    if material.strict {
        for certificate in certificates {
            roots.add(certificate).map_err(|error| format!("{}: {error}", file.name))?;
        }
    } else {
        // Among the many of a system there are some that nobody can use.
        roots.add_parsable_certificates(certificates);
    }
    if roots.is_empty() { Err(format!("{}: there is no certificate", file.name)) } else { Ok(roots) }
}

/// The box's certificate with those behind it, and its key.
pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Who the box is.
///
/// # Errors
/// Which file does not hold what it should.
pub(super) fn identity((certificate, key): &(PemFile, PemFile)) -> Result<Identity, String> {
    let chain = certificates(certificate)?;
    if chain.is_empty() {
        return Err(format!("{}: there is no certificate", certificate.name));
    }
    // Without the error of the parser: nothing of a key belongs into a text.
    let key = PrivateKeyDer::from_pem_slice(&key.text)
        .map_err(|_| format!("{}: there is no private key in PEM", key.name))?;
    Ok((chain, key))
}

fn certificates(file: &PemFile) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&file.text).collect();
    read.map_err(|error| format!("{}: {error}", file.name))
}

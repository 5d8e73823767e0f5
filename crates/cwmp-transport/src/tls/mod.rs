//! TLS 1.2 and 1.3 towards the ACS and file servers (TR-069a6 3.3), with rustls and ring.
//!
//! Chain, name and dates are verified by rustls' own verifier, always. There is no fallback: to a URL with https nothing is
//! ever sent in clear text. Left out: revocation lists and OCSP, for which a box has neither the room nor the reach.

mod date;
mod material;
mod pins;
mod stream;

use std::{cell::RefCell, error::Error, fmt, io, rc::Rc, sync::Arc};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, PeerIncompatible, RootCertStore,
    client::Resumption,
    crypto::{CryptoProvider, ring},
    pki_types::{ServerName, UnixTime},
    time_provider::TimeProvider,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub use self::material::TlsFiles;
pub(crate) use self::stream::SecureStream;
use self::{
    date::{Date, Dates, Fixed},
    material::{identity, roots},
};
use crate::{
    limits,
    tls_config::{MaterialSource, Stamp, TlsConfig},
};

/// What all https connections of the program share: trust anchors, the box's certificate, and tickets of earlier
/// connections, with which the next one is quicker.
///
/// Memory: about 100 KB with the authorities of a whole system, a few KB with a file of the provider's own.
#[derive(Clone)]
pub struct Tls(Rc<Shared>);

struct Shared {
    config: TlsConfig,
    files: Rc<dyn MaterialSource>,
    dates: Dates,
    provider: Arc<CryptoProvider>,
    /// Made from the files when they looked like this.
    made: RefCell<Option<(Stamp, Made)>>,
}

#[derive(Clone)]
struct Made {
    client: Arc<ClientConfig>,
    roots: Arc<RootCertStore>,
}

/// By which date a handshake goes; the next one may go by another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt(Date);

/// Why there is no secure connection.
pub(crate) enum Failure {
    /// The chain begins to be valid later than the date that was gone by, and that was not known for certain.
    Later(Attempt),
    /// All else.
    Refused(String),
}

impl Tls {
    /// With this configuration; nothing is read yet.
    #[must_use]
    pub fn new(config: TlsConfig) -> Self {
        let files = TlsFiles { ca_file: config.ca_file.clone(), client: config.client.clone() };
        Self::with_files(config, Rc::new(files))
    }

    /// The same, with files that somebody else reads; those that the configuration names are not looked at.
    #[must_use]
    pub fn with_files(config: TlsConfig, files: Rc<dyn MaterialSource>) -> Self {
        Self(Rc::new(Shared {
            files,
            dates: Dates::new(Rc::clone(&config.date)),
            provider: Arc::new(ring::default_provider()),
            made: RefCell::default(),
            config,
        }))
    }

    /// Gets ready for a handshake.
    ///
    /// # Errors
    /// None in this build.
    pub(crate) fn begin(&self) -> Result<Attempt, String> {
        Ok(Attempt(self.0.dates.now()))
    }

    /// Makes a connection secure, with the server that has this name or address.
    pub(crate) async fn secure(
        &self,
        tcp: TcpStream,
        host: &str,
        attempt: Attempt,
    ) -> Result<SecureStream, Failure> {
        let refused = |text: &dyn fmt::Display| Failure::Refused(text.to_string());
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| refused(&"no certificate can be made out to such a name"))?;
        let made = self.made().await.map_err(Failure::Refused)?;
        let mut client = ClientConfig::clone(&made.client);
        let clock = Arc::new(Fixed(attempt.0));
        let now = clock.current_time().unwrap_or(UnixTime::since_unix_epoch(std::time::Duration::ZERO));
        client.time_provider = clock;
        if !attempt.0.is_known {
            // What is believed without a date is not believed for longer than one connection.
            client.resumption = Resumption::disabled();
        }
        let connector = TlsConnector::from(Arc::new(client));
        let stream = connector.connect(name.clone(), tcp).await.map_err(|error| failure(&error, attempt))?;
        let pins = &self.0.config.pins;
        if !pins.is_empty() {
            let presented = stream.get_ref().1.peer_certificates().unwrap_or_default();
            if !pins::hold(pins, presented, &made.roots, &self.0.provider, &name, now) {
                return Err(refused(
                    &"the certificate is valid, and none of the pinned keys is in its chain",
                ));
            }
        }
        Ok(SecureStream::new(stream))
    }

    /// What connections share; read anew when a file has changed, such as a certificate that was renewed.
    async fn made(&self) -> Result<Made, String> {
        let known = self.0.made.borrow().as_ref().map(|(stamp, _)| stamp.clone());
        let Some(material) = self.0.files.read(known).await? else {
            let made = self.0.made.borrow().as_ref().map(|(_, made)| made.clone());
            return made.ok_or_else(|| "another connection has failed to read the certificates".to_owned());
        };
        let client = material.client.as_ref().map(identity).transpose()?;
        let roots = Arc::new(roots(&material)?);
        let provider = Arc::clone(&self.0.provider);
        let fixed = Arc::new(Fixed(self.0.dates.now()));
        let builder = ClientConfig::builder_with_details(provider, fixed);
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let builder = builder.with_root_certificates(Arc::clone(&roots));
        let mut client = match client {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("certificate and key of the box: {error}"))?,
            None => builder.with_no_client_auth(),
        };
        client.resumption = Resumption::in_memory_sessions(limits::TLS_TICKETS);
        let made = Made { client: Arc::new(client), roots };
        *self.0.made.borrow_mut() = Some((material.stamp, made.clone()));
        Ok(made)
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new(TlsConfig::default())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.config).finish()
    }
}

/// What a failed handshake means, with what may be done about it.
fn failure(error: &io::Error, attempt: Attempt) -> Failure {
    let inner = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return Failure::Refused(error.to_string());
    };
    let advice = match error {
        rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })
            if !attempt.0.is_known =>
        {
            let seconds = i64::try_from(not_before.as_secs()).unwrap_or(i64::MAX);
            return Failure::Later(Attempt(Date { seconds, is_known: false }));
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "; its authority is not trusted here, or the server does not send the certificates between"
        }
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13,
        ) => "; the server must speak TLS 1.2 or 1.3",
        rustls::Error::InvalidMessage(_) => "; is it a port for clear text?",
        _ => "",
    };
    Failure::Refused(format!("{error}{advice}"))
}

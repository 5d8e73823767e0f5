//! Faults (TR-069a6 3.5, A.5; SOAP 1.1 section 4.4).

use crate::{
    fault::{CwmpFault, SetParameterValuesFault},
    rpc::Fault,
};

use super::{
    reader::{Reader, Space, Trouble},
    wire::{Field, Wire, filled, read_fields, record},
    writer::{Sink, close, leaf, open},
};

record!(SetParameterValuesFault { name: "ParameterName", code: "FaultCode", text: "FaultString" optional });

impl Wire for CwmpFault {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let (mut code, mut text, mut parameters) = (None, None, Vec::new());
        let fields = &mut [
            Field::required("FaultCode", &mut code),
            Field::optional("FaultString", &mut text),
            Field::optional("SetParameterValuesFault", &mut parameters),
        ];
        read_fields(reader, fields)?;
        Ok(Self { code: filled(code)?, text: text.unwrap_or_default(), parameters })
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        open(name, out);
        self.code.write("FaultCode", out);
        leaf("FaultString", &self.text, out);
        for parameter in &self.parameters {
            parameter.write("SetParameterValuesFault", out);
        }
        close(name, out);
    }
}

/// The answer to an envelope with a header that must be understood and is not (SOAP 1.1, 4.4.1).
#[must_use]
pub fn must_understand_fault(header: &str) -> Fault {
    let faultstring = format!("the header {header} is not understood");
    Fault { cwmp: None, faultcode: "MustUnderstand".to_owned(), faultstring }
}

/// The answer to an envelope of another version of SOAP (SOAP 1.1, 4.4.1).
#[must_use]
pub fn version_mismatch_fault() -> Fault {
    let faultstring = "the envelope is not one of SOAP 1.1".to_owned();
    Fault { cwmp: None, faultcode: "VersionMismatch".to_owned(), faultstring }
}

/// Writes the Fault element. The faultcode of a CWMP fault has no prefix, as in the examples of TR-069; one of SOAP alone
/// is qualified, as SOAP 1.1 has it.
pub(super) fn write_fault(fault: &Fault, out: &mut dyn Sink) {
    out.push("<soap-env:Fault>");
    match &fault.cwmp {
        Some(_) => leaf("faultcode", &fault.faultcode, out),
        None => leaf("faultcode", &format!("soap-env:{}", fault.faultcode), out),
    }
    leaf("faultstring", &fault.faultstring, out);
    if let Some(cwmp) = &fault.cwmp {
        out.push("<detail>");
        cwmp.write("cwmp:Fault", out);
        out.push("</detail>");
    }
    out.push("</soap-env:Fault>");
}

/// Reads the Fault element that was just opened. Children count with and without a namespace; what cannot be read counts
/// as absent, for a fault is never answered with another one.
pub(super) fn read_fault(reader: &mut Reader<'_>) -> Result<Fault, Trouble> {
    let mut fault = Fault { cwmp: None, faultcode: String::new(), faultstring: String::new() };
    while let Some(tag) = reader.child()? {
        match tag.name() {
            "faultcode" => {
                let code = tolerant(reader, |reader| reader.text())?.unwrap_or_default();
                let code = code.trim();
                fault.faultcode = code.rsplit_once(':').map_or(code, |(_, local)| local).to_owned();
            }
            "faultstring" => {
                fault.faultstring = tolerant(reader, |reader| reader.text())?.unwrap_or_default()
            }
            "detail" => {
                while let Some(tag) = reader.child()? {
                    if fault.cwmp.is_none() && tag.name() == "Fault" && tag.space != Space::Foreign {
                        fault.cwmp = tolerant(reader, |reader| CwmpFault::read(reader, 0))?;
                    } else {
                        reader.skip()?;
                    }
                }
            }
            _ => reader.skip()?,
        }
    }
    Ok(fault)
}

/// Reads a `cwmp:Fault` that stands in the Body without the Fault of SOAP around it. It is no call, and must not be
/// answered like one.
pub(super) fn read_bare_fault(reader: &mut Reader<'_>) -> Result<Fault, Trouble> {
    let cwmp = tolerant(reader, |reader| CwmpFault::read(reader, 0))?;
    Ok(Fault { cwmp, faultcode: String::new(), faultstring: String::new() })
}

/// Reads the current element; a wrong argument in it yields `None`.
fn tolerant<'i, T>(
    reader: &mut Reader<'i>,
    read: impl FnOnce(&mut Reader<'i>) -> Result<T, Trouble>,
) -> Result<Option<T>, Trouble> {
    let depth = reader.depth();
    match read(reader) {
        Ok(value) => Ok(Some(value)),
        Err(Trouble::Argument(_)) => {
            reader.leave(depth)?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

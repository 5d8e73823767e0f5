//! Large responses piece by piece: the head with the number of entries, each entry, the tail. Whole messages use the same
//! encoders for their entries.
//!
//! A name is given as the path of its object (`Device.Time.`) and its own part (`Enable`), so that nobody has to join
//! them; both are written one after the other.

use crate::{
    io::{Listing, ListingKind},
    value::ValueType,
};

use super::writer::{Sink, close, envelope_head, envelope_tail, escape, leaf, open, open_array};

pub(super) const VALUE_ENTRY: &str = "ParameterValueStruct";
pub(super) const VALUE_TYPE: &str = "cwmp:ParameterValueStruct";
pub(super) const INFO_ENTRY: &str = "ParameterInfoStruct";
pub(super) const INFO_TYPE: &str = "cwmp:ParameterInfoStruct";
pub(super) const ATTRIBUTE_ENTRY: &str = "ParameterAttributeStruct";
pub(super) const ATTRIBUTE_TYPE: &str = "cwmp:ParameterAttributeStruct";

fn frame(kind: ListingKind) -> (&'static str, &'static str) {
    match kind {
        ListingKind::Values => ("cwmp:GetParameterValuesResponse", VALUE_TYPE),
        ListingKind::Names => ("cwmp:GetParameterNamesResponse", INFO_TYPE),
        ListingKind::Attributes => ("cwmp:GetParameterAttributesResponse", ATTRIBUTE_TYPE),
    }
}

/// Everything before the first entry.
pub fn head(listing: &Listing, out: &mut dyn Sink) {
    let (message, entry_type) = frame(listing.kind);
    envelope_head(listing.version, &listing.header, out);
    open(message, out);
    open_array("ParameterList", entry_type, usize::try_from(listing.count).unwrap_or(usize::MAX), out);
}

/// Everything after the last entry.
pub fn tail(listing: &Listing, out: &mut dyn Sink) {
    close("ParameterList", out);
    close(frame(listing.kind).0, out);
    envelope_tail(out);
}

/// An entry of GetParameterValuesResponse.
pub fn value(object: &str, name: &str, value_type: ValueType, text: &str, out: &mut dyn Sink) {
    value_entry(object, name, Some(value_type), text, out);
}

/// A ParameterValueStruct, whose type may be unknown.
pub(super) fn value_entry(
    object: &str,
    name: &str,
    value_type: Option<ValueType>,
    text: &str,
    out: &mut dyn Sink,
) {
    out.push("<ParameterValueStruct><Name>");
    escape(object, out);
    escape(name, out);
    out.push("</Name>");
    typed(value_type, text, out);
    out.push("</ParameterValueStruct>");
}

/// A Value element.
pub(crate) fn typed(value_type: Option<ValueType>, text: &str, out: &mut dyn Sink) {
    out.push("<Value");
    if let Some(value_type) = value_type {
        // Some ACSes look for the literal prefix `xsd:` rather than for the namespace.
        out.push(" xsi:type=\"xsd:");
        out.push(value_type.xsd_name());
        out.push("\"");
    }
    out.push(">");
    escape(text, out);
    out.push("</Value>");
}

/// An entry of GetParameterNamesResponse; `name` is empty for an object itself.
pub fn info(object: &str, name: &str, writable: bool, out: &mut dyn Sink) {
    out.push("<ParameterInfoStruct><Name>");
    escape(object, out);
    escape(name, out);
    out.push(if writable { "</Name><Writable>1" } else { "</Name><Writable>0" });
    out.push("</Writable></ParameterInfoStruct>");
}

/// An entry of GetParameterAttributesResponse.
pub fn attribute(object: &str, name: &str, notification: i32, access_list: &[&str], out: &mut dyn Sink) {
    out.push("<ParameterAttributeStruct><Name>");
    escape(object, out);
    escape(name, out);
    out.push("</Name>");
    leaf("Notification", &notification.to_string(), out);
    open_array("AccessList", "xsd:string", access_list.len(), out);
    for entity in access_list {
        leaf("string", entity, out);
    }
    out.push("</AccessList></ParameterAttributeStruct>");
}

//! Everything that a user has and that IAM wants gone before the user.

use aws_sdk_iam::types::{Group, MfaDevice, SigningCertificate, SshPublicKeyMetadata};

use super::{key, notes};
use crate::aws::policies::Holder;
use crate::aws::{Class, Error, absent, gone_is_fine, vault};
use crate::field::Tags;
use crate::kind::Cx;

/// Deletes the user with all it has. Credentials go first, so that nobody works on with half a
/// user. What few users have and lagoa never makes is looked for when AWS refuses.
pub async fn take(tags: &Tags, cx: &Cx<'_>) -> Result<(), Error> {
    gone_is_fine(cx.iam.delete_login_profile().user_name(cx.name).send().await)?;
    for id in key::list(cx.name, cx).await? {
        key::delete(&id, cx).await?;
    }
    for secret in notes::secrets_in(tags) {
        vault::destroy(cx, secret, notes::holder(tags)).await?;
    }
    groups(cx).await?;
    Holder::User(cx.name).strip(&cx.iam).await?;
    match delete(cx).await {
        Err(error) if error.class == Class::Dependency => {
            mfa_devices(cx).await?;
            ssh_keys(cx).await?;
            certificates(cx).await?;
            service_credentials(cx).await?;
            delete(cx).await
        }
        other => other,
    }
}

async fn delete(cx: &Cx<'_>) -> Result<(), Error> {
    gone_is_fine(cx.iam.delete_user().user_name(cx.name).send().await)
}

/// A virtual device is a thing of its own, whose serial number is an ARN; hardware is only
/// taken from the user.
async fn mfa_devices(cx: &Cx<'_>) -> Result<(), Error> {
    let pages = cx.iam.list_mfa_devices().user_name(cx.name).into_paginator().items().send();
    let devices = absent(pages.collect::<Result<Vec<MfaDevice>, _>>().await)?;
    for device in devices.unwrap_or_default() {
        let serial = device.serial_number();
        let call = cx.iam.deactivate_mfa_device().user_name(cx.name).serial_number(serial);
        gone_is_fine(call.send().await)?;
        if serial.contains(":mfa/") {
            let call = cx.iam.delete_virtual_mfa_device().serial_number(serial);
            gone_is_fine(call.send().await)?;
        }
    }
    Ok(())
}

async fn ssh_keys(cx: &Cx<'_>) -> Result<(), Error> {
    let pages = cx.iam.list_ssh_public_keys().user_name(cx.name).into_paginator().items().send();
    let keys = absent(pages.collect::<Result<Vec<SshPublicKeyMetadata>, _>>().await)?;
    for key in keys.unwrap_or_default() {
        let call = cx.iam.delete_ssh_public_key().user_name(cx.name);
        gone_is_fine(call.ssh_public_key_id(key.ssh_public_key_id()).send().await)?;
    }
    Ok(())
}

/// Passwords for git and for other services that have their own.
async fn service_credentials(cx: &Cx<'_>) -> Result<(), Error> {
    let mut marker = None;
    loop {
        let call = cx.iam.list_service_specific_credentials().user_name(cx.name);
        let Some(page) = absent(call.set_marker(marker).send().await)? else { return Ok(()) };
        for one in page.service_specific_credentials() {
            let call = cx.iam.delete_service_specific_credential().user_name(cx.name);
            let id = one.service_specific_credential_id();
            gone_is_fine(call.service_specific_credential_id(id).send().await)?;
        }
        if !page.is_truncated() {
            return Ok(());
        }
        marker = page.marker;
    }
}

async fn certificates(cx: &Cx<'_>) -> Result<(), Error> {
    let pages = cx.iam.list_signing_certificates().user_name(cx.name).into_paginator();
    let certificates = pages.items().send().collect::<Result<Vec<SigningCertificate>, _>>().await;
    for certificate in absent(certificates)?.unwrap_or_default() {
        let call = cx.iam.delete_signing_certificate().user_name(cx.name);
        gone_is_fine(call.certificate_id(certificate.certificate_id()).send().await)?;
    }
    Ok(())
}

async fn groups(cx: &Cx<'_>) -> Result<(), Error> {
    let pages = cx.iam.list_groups_for_user().user_name(cx.name).into_paginator().items().send();
    let groups = absent(pages.collect::<Result<Vec<Group>, _>>().await)?;
    for group in groups.unwrap_or_default() {
        let call = cx.iam.remove_user_from_group().user_name(cx.name);
        gone_is_fine(call.group_name(group.group_name()).send().await)?;
    }
    Ok(())
}

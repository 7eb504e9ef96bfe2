"""Addresses of sign-in and of what belongs to one's own account: django-allauth's views, with our words for the ways.

Only what is used has an address. The names are allauth's own, by which its views find each other.
"""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from allauth.socialaccount import views as social
from allauth.usersessions import views as sessions
from django.urls import path

from budgets.people import company, signing_in
from budgets.people.signing_in import as_page

sign_in = signing_in.SignIn.as_view()
sign_out = signing_in.SignOut.as_view()

urlpatterns = [
    path("sign-in/", sign_in, name="account_login"),
    path("sign-in/", sign_in, name="sign-in"),
    path("sign-in/passkey/", signing_in.SignInByPasskey.as_view(), name="mfa_login_webauthn"),
    path("sign-in/second-factor/", as_page(mfa.authenticate), name="mfa_authenticate"),
    path("sign-in/closed/", as_page(account.account_inactive), name="account_inactive"),
    path("sign-in/cancelled/", as_page(social.login_cancelled), name="socialaccount_login_cancelled"),
    path("sign-in/failed/", as_page(social.login_error), name="socialaccount_login_error"),
    path("sign-in/new/", as_page(social.signup), name="socialaccount_signup"),
    path("sign-in/by/<str:provider_id>/", company.begin, name="openid_connect_login"),
    path("sign-in/by/<str:provider_id>/back/", company.back, name="openid_connect_callback"),
    path("sign-out/", sign_out, name="account_logout"),
    path("sign-out/", sign_out, name="sign-out"),
    path("second-factor/", signing_in.second_factor_needed, name="second-factor-needed"),
    path("password/", as_page(account.password_reset), name="account_reset_password"),
    path("password/sent/", as_page(account.password_reset_done), name="account_reset_password_done"),
    path("password/done/", as_page(account.password_reset_from_key_done), name="account_reset_password_from_key_done"),
    path(
        "password/<str:uidb36>/<str:key>/",
        as_page(account.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    path("profile/password/", as_page(account.password_change), name="account_change_password"),
    path("profile/password/set/", as_page(account.password_set), name="account_set_password"),
    path("profile/emails/", as_page(account.email), name="account_email"),
    path("profile/emails/sent/", as_page(account.email_verification_sent), name="account_email_verification_sent"),
    path("profile/emails/confirm/<str:key>/", as_page(account.confirm_email), name="account_confirm_email"),
    path("profile/confirm/", as_page(account.reauthenticate), name="account_reauthenticate"),
    path("profile/confirm/code/", as_page(mfa.reauthenticate), name="mfa_reauthenticate"),
    path("profile/confirm/passkey/", as_page(passkeys.reauthenticate_webauthn), name="mfa_reauthenticate_webauthn"),
    path("profile/second-factor/", as_page(mfa.index), name="mfa_index"),
    path("profile/second-factor/app/", as_page(totp.activate_totp), name="mfa_activate_totp"),
    path("profile/second-factor/app/remove/", as_page(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("profile/second-factor/codes/", as_page(codes.view_recovery_codes), name="mfa_view_recovery_codes"),
    path(
        "profile/second-factor/codes/new/", as_page(codes.generate_recovery_codes), name="mfa_generate_recovery_codes"
    ),
    path(
        "profile/second-factor/codes/file/", as_page(codes.download_recovery_codes), name="mfa_download_recovery_codes"
    ),
    path("profile/passkeys/", as_page(passkeys.list_webauthn), name="mfa_list_webauthn"),
    path("profile/passkeys/add/", as_page(passkeys.add_webauthn), name="mfa_add_webauthn"),
    path("profile/passkeys/<int:pk>/remove/", as_page(passkeys.remove_webauthn), name="mfa_remove_webauthn"),
    path("profile/passkeys/<int:pk>/edit/", as_page(passkeys.edit_webauthn), name="mfa_edit_webauthn"),
    path("profile/sessions/", as_page(sessions.list_usersessions), name="usersessions_list"),
    path("profile/company/", as_page(social.connections), name="socialaccount_connections"),
]

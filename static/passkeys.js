/* Passkeys: sign in with one, add one. The only part of sign-in that needs JavaScript; without it, its forms are hidden.
   <form data-passkey="sign-in | use | add" data-passkey-options="id of a json_script"> with a hidden `credential`. */
(function () {
  "use strict";
  var words = {
    NotAllowedError: "Nothing happened: it was cancelled, or it took too long. Try again, or use another way.",
    InvalidStateError: "This device has a passkey for your account already.",
    SecurityError: "Passkeys need an https address, or localhost.",
    "": "That did not work. Try again, or use another way."
  };

  function bytes(text) {
    var plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, function (letter) { return letter.charCodeAt(0); });
  }
  function text(buffer) {
    var plain = String.fromCharCode.apply(null, new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }
  function asked(json) {
    var key = Object.assign({}, json.publicKey);
    key.challenge = bytes(key.challenge);
    if (key.user) key.user = Object.assign({}, key.user, { id: bytes(key.user.id) });
    ["excludeCredentials", "allowCredentials"].forEach(function (name) {
      if (key[name]) key[name] = key[name].map(function (one) { return Object.assign({}, one, { id: bytes(one.id) }); });
    });
    if (!key.allowCredentials || !key.allowCredentials.length) delete key.allowCredentials;
    return { publicKey: key };
  }
  function answered(credential) {
    var response = { clientDataJSON: text(credential.response.clientDataJSON) };
    ["attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (name) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    });
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response: response,
      authenticatorAttachment: credential.authenticatorAttachment || undefined,
      clientExtensionResults: credential.getClientExtensionResults()
    });
  }
  async function options(form) {
    var source = document.getElementById(form.dataset.passkeyOptions || "");
    if (source) return JSON.parse(source.textContent);
    var answer = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error("no answer");
    return answer.json();
  }
  async function run(form) {
    var given = await options(form), credential;
    if (form.dataset.passkey === "add") {
      var wanted = asked(given.creation_options), choice = wanted.publicKey.authenticatorSelection || {};
      wanted.publicKey.authenticatorSelection = Object.assign({}, choice, {
        residentKey: "required", requireResidentKey: true, userVerification: "required"
      });
      credential = await navigator.credentials.create(wanted);
    } else {
      credential = await navigator.credentials.get(asked(given.request_options));
    }
    form.elements.credential.value = answered(credential);
    form.submit();
  }

  if (!window.PublicKeyCredential || !navigator.credentials) return;
  document.querySelectorAll("[data-passkey-only]").forEach(function (one) { one.hidden = false; });
  document.querySelectorAll("form[data-passkey]").forEach(function (form) {
    form.hidden = false;
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      var problem = form.querySelector("[data-passkey-problem]"), button = form.querySelector("button");
      problem.textContent = "";
      button.disabled = true;
      run(form).catch(function (error) {
        problem.textContent = words[error.name] || words[""];
        button.disabled = false;
      });
    });
  });
})();

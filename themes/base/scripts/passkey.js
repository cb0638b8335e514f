// Passkeys: the page carries what the browser is asked, the answer goes into a hidden field, and the form is posted as
// any other. A passkey offered in the field of the name waits from the start, and is called off before the button asks.
'use strict'

const data = document.getElementById('passkey-options')
const form = document.getElementById('passkey-form')
const button = document.getElementById('passkey-use')
const trouble = document.getElementById('passkey-error')
let waiting = null

function bytes(text) {
  const plain = atob(text.replace(/-/g, '+').replace(/_/g, '/'))
  return Uint8Array.from(plain, character => character.charCodeAt(0))
}

function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer))
  return btoa(plain).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
}

function publicKey() {
  const options = JSON.parse(data.textContent)
  options.challenge = bytes(options.challenge)
  if (options.user) options.user.id = bytes(options.user.id)
  for (const known of [...(options.allowCredentials || []), ...(options.excludeCredentials || [])]) {
    known.id = bytes(known.id)
  }
  return options
}

function asJson(credential) {
  const { response } = credential
  const answer = { clientDataJSON: text(response.clientDataJSON) }
  for (const name of ['attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (response[name]) answer[name] = text(response[name])
  }
  if (response.getTransports) answer.transports = response.getTransports()
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response: answer })
}

function send(credential) {
  document.getElementById('passkey-response').value = asJson(credential)
  form.submit()
}

function show(error) {
  trouble.textContent = error.name === 'InvalidStateError' ? trouble.dataset.known : trouble.dataset.refused
  trouble.hidden = false
}

// Several requests at once are an error of the browser's: the one that waits in the field has to end first.
async function callOff() {
  if (!waiting) return
  const { controller, ended } = waiting
  waiting = null
  controller.abort()
  await ended
}

async function offer() {
  const possible = await PublicKeyCredential.isConditionalMediationAvailable?.()
  if (!possible || waiting) return
  const controller = new AbortController()
  const request = { publicKey: publicKey(), mediation: 'conditional', signal: controller.signal }
  const ended = navigator.credentials.get(request).then(send, error => {
    if (error.name !== 'AbortError' && error.name !== 'NotAllowedError') show(error)
  })
  waiting = { controller, ended }
}

async function ask() {
  button.disabled = true
  trouble.hidden = true
  await callOff()
  try {
    const request = { publicKey: publicKey() }
    const { kind } = data.dataset
    send(kind === 'create' ? await navigator.credentials.create(request) : await navigator.credentials.get(request))
  } catch (error) {
    show(error)
  } finally {
    button.disabled = false
  }
}

if (data && form && window.PublicKeyCredential) {
  form.hidden = false
  button.addEventListener('click', ask)
  form.addEventListener('submit', event => {
    event.preventDefault()
    ask()
  })
  if (data.dataset.conditional) offer()
}

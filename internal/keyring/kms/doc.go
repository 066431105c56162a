// Package kms keeps the keys of a keyring.Envelope at a key-management service. A URL says where:
//
//	awskms:///arn:aws:kms:REGION:ACCOUNT:key/ID                                 also an alias; ?region=, ?profile=, ?role=, ...
//	gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K                     also ?additional_authenticated_data=
//	azurekeyvault://VAULT.vault.azure.net/keys/NAME/VERSION                     also ?algorithm=
//	hashivault://KEY                                                            also ?engine=, the path of the transit engine
//
// How we prove who we are is for the environment to say, as each service's own tools have it: the
// credentials of AWS, Google (Application Default Credentials) and Azure, and for Vault VAULT_ADDR and
// VAULT_TOKEN with what else its command line reads. A Vault token is never renewed from here: let a
// Vault agent do that, or give one that lasts.
//
// We need leave to encrypt and to decrypt with that one key, and to do nothing else:
//   - AWS takes the key from the ciphertext, so who may decrypt with any key trusts any key;
//   - Vault makes a key that it does not know when somebody may "create" on transit/encrypt: "update"
//     is enough;
//   - Azure says in no ciphertext which version of a key it is for. So the URL names it, and a new
//     version is a new URL.
//
// The clients of these services are large, so they are only in programs built with the tag kms
// (make build TAGS=kms). Without it Open and Check say so.
package kms

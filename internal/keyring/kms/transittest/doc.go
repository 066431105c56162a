// Package transittest gives tests a Vault with a key in its transit engine, and takes it away from them
// again. It is imported by tests only.
//
//	test ─► address ─► door ─┬─► stand-in   answers as Vault 1.21 was seen to, for one key and one token
//	        (Leave, Return)  └─► a real one, if LATCHKEY_TEST_VAULT says where
//	                 (Hang, Fail, Answer)
//
// LATCHKEY_TEST_VAULT is an address with a root token as its password, such as
// http://:TOKEN@127.0.0.1:8200 of "vault server -dev". Each test makes its own key there, with a policy
// and a token that allow no more than the stand-in does.
package transittest

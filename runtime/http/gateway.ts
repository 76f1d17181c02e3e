// The native Gateway (contract 13.3): only a token; the authentication callback went to the http part.

export class Gateway {}

// What whoever may name an address tries, to have the app ask its own network for them (SSRF).

/** Refused as they stand. */
export const spelled: readonly string[] = [
  // Other protocols, and none
  ...["http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO"],
  ...[
    "dict://127.0.0.1:11211/stat",
    "data:text/plain,x",
    "javascript:alert(1)",
    "//127.0.0.1/",
    "hooks.example.com",
    "",
  ],
  // This machine
  ...["https://127.0.0.1/", "https://127.0.0.1:5432/", "https://127.1/", "https://127.0.1/", "https://0/"],
  ...["https://0.0.0.0/", "https://127.255.255.254/", "https://127.0.0.1./", "https://127.0.0.1.:443/"],
  // In octal, hexadecimal, as one number
  ...["https://0177.0.0.1/", "https://0177.0000.0000.0001/", "https://0x7f.0.0.1/", "https://0x7f000001/"],
  ...["https://2130706433/", "https://017700000001/", "https://0x7f.1/", "https://3232235777/", "https://0xa9fea9fe/"],
  ...["https://0251.0376.0251.0376/", "https://2852039166/", "https://169.254.43518/"],
  // In other digits, dots and percent signs
  ...["https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/", "https://127.0.0.１/", "https://%31%32%37.0.0.1/"],
  ...["https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "https://loc%61lhost/", "https://127.0.0.1%2f@hooks.example.com/"],
  // Names of this machine and of private networks
  ...["https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://localhost.localdomain/"],
  ...["https://redis/", "https://metadata/", "https://metadata.google.internal/", "https://printer.local/"],
  ...["https://db.corp/", "https://router.home.arpa/", "https://kubernetes.default.svc/", "https://intranet/"],
  // Private networks
  ...["https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.0.1/"],
  ...[
    "https://100.64.0.1/",
    "https://198.18.0.1/",
    "https://192.0.0.8/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
  ],
  // Metadata of clouds
  ...["https://169.254.169.254/latest/meta-data/", "https://169.254.170.2/v2/credentials", "https://100.100.100.200/"],
  ...["https://[fd00:ec2::254]/", "https://[fe80::a9fe:a9fe]/"],
  // IPv6 that is this machine, a private network, or carries IPv4
  ...["https://[::]/", "https://[::1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/"],
  ...[
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[::7f00:1]/",
  ],
  ...["https://[64:ff9b::7f00:1]/", "https://[64:ff9b::169.254.169.254]/", "https://[64:ff9b:1::a00:1]/"],
  ...["https://[2002:7f00:1::]/", "https://[2002:a9fe:a9fe::1]/", "https://[2001:0:7f00:1::]/", "https://[fc00::1]/"],
  ...[
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[ff02::1]/",
    "https://[fec0::1]/",
    "https://[2001:db8::1]/",
  ],
  // Another host than a reader believes
  ...[
    "https://hooks.example.com@127.0.0.1/",
    "https://user:password@hooks.example.com/",
    "https://127.0.0.1#@hooks.example.com/",
  ],
  ...[
    "https://127.0.0.1?@hooks.example.com/",
    "https://127.0.0.1\\@hooks.example.com/",
    "https:127.0.0.1/",
    "https:/\\10.0.0.1/",
  ],
  ...["https://ho\toks.example.com:@10.0.0.1/", `https://hooks.example.com/${"x".repeat(2_048)}`],
];

/** Names that are no address and lead to one. */
export const leadingInside: Readonly<Record<string, readonly string[]>> = {
  "loopback.example.com": ["127.0.0.1"],
  "any.example.com": ["0.0.0.0"],
  "private.example.com": ["10.0.0.1"],
  "metadata.example.com": ["169.254.169.254"],
  "mapped.example.com": ["::ffff:7f00:1"],
  "six.example.com": ["::1"],
  "local-six.example.com": ["fd00::1"],
  "nat64.example.com": ["64:ff9b::7f00:1"],
  "one-of-two.example.com": ["8.8.8.8", "127.0.0.1"],
  "six-of-two.example.com": ["8.8.8.8", "::1"],
  "127.0.0.1.nip.example.com": ["127.0.0.1"],
  "nothing.example.com": [],
};

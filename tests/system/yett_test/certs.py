# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates made on the spot by the openssl command."""
import subprocess


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *map(str, arguments)], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, **options)


class Pair:
    """A certificate and its key."""

    def __init__(self, folder, name):
        self.certificate = folder / f"{name}.crt"
        self.key = folder / f"{name}.key"

    def conf(self):
        return {"certificate": str(self.certificate), "key": str(self.key)}


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder, name="Test CA"):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.root = Pair(folder, "ca")
        self._key(self.root.key, "ec")
        openssl("req", "-x509", "-new", "-key", self.root.key, "-subj", f"/CN={name}",
                "-days", "30", "-out", self.root.certificate,
                "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")

    @property
    def file(self):
        return str(self.root.certificate)

    @staticmethod
    def _key(path, kind):
        if kind == "rsa":
            openssl("genrsa", "-out", path, "2048")
        else:
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", path)

    def issue(self, *names, kind="ec", client=False, days=20):
        """A certificate for these names or addresses."""
        label = "".join(c if c.isalnum() else "_" for c in names[0])
        pair = Pair(self.folder, f"{label}-{kind}{'-client' if client else ''}-{days}")
        self._key(pair.key, kind)
        csr = pair.certificate.with_suffix(".csr")
        extensions = pair.certificate.with_suffix(".ext")
        alternatives = ",".join(
            ("IP:" if n.replace(".", "").isdigit() or ":" in n else "DNS:") + n
            for n in names)
        usage = "clientAuth" if client else "serverAuth"
        extensions.write_text(f"subjectAltName={alternatives}\n"
                              f"extendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n")
        openssl("req", "-new", "-key", pair.key, "-subj", f"/CN={label}", "-out", csr)
        openssl("x509", "-req", "-in", csr, "-CA", self.root.certificate,
                "-CAkey", self.root.key, "-CAcreateserial", "-days", str(days),
                "-extfile", extensions, "-out", pair.certificate)
        return pair

    def expired(self, name):
        """A certificate whose time is over: `openssl ca` can set both dates."""
        pair = Pair(self.folder, f"expired-{name}")
        if pair.certificate.exists():
            return pair
        self._key(pair.key, "ec")
        csr = pair.certificate.with_suffix(".csr")
        openssl("req", "-new", "-key", pair.key, "-subj", f"/CN={name}", "-out", csr)
        database = self.folder / f"db-{name}"
        database.mkdir()
        (database / "index.txt").touch()
        (database / "serial").write_text("1000\n")
        conf = database / "ca.cnf"
        conf.write_text(
            "[ca]\ndefault_ca=c\n[c]\n"
            f"new_certs_dir={database}\ndatabase={database}/index.txt\n"
            f"serial={database}/serial\ndefault_md=sha256\npolicy=p\n"
            "[p]\ncommonName=supplied\n")
        openssl("ca", "-batch", "-config", conf, "-in", csr, "-out", pair.certificate,
                "-cert", self.root.certificate, "-keyfile", self.root.key,
                "-startdate", "20200101000000Z", "-enddate", "20200201000000Z",
                "-notext")
        return pair

    def ocsp(self, pair):
        """An OCSP answer (DER) that calls the pair's certificate good."""
        request = pair.certificate.with_suffix(".ocspreq")
        answer = pair.certificate.with_suffix(".ocsp")
        serial = openssl("x509", "-in", pair.certificate, "-noout", "-serial")
        number = serial.stdout.decode().strip().split("=")[1]
        index = self.folder / "ocsp-index.txt"
        index.write_text(f"V\t350101000000Z\t\t{number}\tunknown\t/CN=x\n")
        openssl("ocsp", "-issuer", self.root.certificate, "-cert", pair.certificate,
                "-no_nonce", "-reqout", request)
        openssl("ocsp", "-index", index, "-rsigner", self.root.certificate,
                "-rkey", self.root.key, "-CA", self.root.certificate,
                "-reqin", request, "-respout", answer, "-ndays", "5")
        return answer

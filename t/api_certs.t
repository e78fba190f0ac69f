#!/usr/bin/perl
# REST: the certificate store - add, list with its relations, delete; what
# is refused.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Fail;
use MIME::Base64;
use Net::SSLeay;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(test => { workers => 2 },
    http => 'amt_timeout ' . $slow . 's; amt_budget ' . (5 * $slow) . 's;');
my $sim = AMT::Api::devices($t, count => 2);
my $guid = $sim->guid(0);
my $api = '/api/v1/amt/certificates';
my $dir = $t->dir;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

sub list { $t->get("$api/$guid", key => $key{reader}) }
sub add {
    my ($cert, $trusted) = @_;
    return $t->post("$api/$guid", key => $key{admin}, json => {
        cert => $cert, isTrusted => $trusted });
}
sub remove {
    my ($handle) = @_;
    $handle =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge;
    return $t->delete("$api/$guid/$handle", key => $key{admin});
}
sub certs { list()->{json}{certificates}{publicKeyCertificateItems} }
sub by { my ($h) = @_; (grep { $_->{instanceID} eq $h } @{certs()})[0] }

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

sub e400 { AMT::Fail::body('Incorrect URI or Bad Request', $_[0]) }
my $failed = e400('Failed to validate or process certificate');

# a self-signed certificate: DER, PEM, and its public key as AMT lists it
sub make {
    my ($name, $subject, @more) = @_;
    my $f = "$dir/$name";
    my $req = join ' ', 'openssl req -x509 -newkey rsa:2048 -nodes -keyout',
        "$f.key", '-out', "$f.pem", '-subj', "'$subject'", @more;
    system("$req 2>$f.err && openssl x509 -in $f.pem -outform DER -out $f.der"
        . " && openssl rsa -in $f.key -RSAPublicKey_out -outform DER"
        . " -out $f.pub 2>>$f.err") == 0
        or die $t->read_file("$name.err");
    return { map { $_ => $t->read_file("$name.$_") } qw(der pem pub) };
}

my $root = make('root2', '/C=US/O=Test/CN=Test Root');
my $leaf = make('leaf', '/O=Test/CN=pc.example.com');
my $bare = make('bare', '/O=no common name');
my $big = make('big', '/CN=big', '-addext', "'subjectAltName=" . join(',',
    map { "DNS:a$_.example.com" } 1 .. 400) . "'");
# valid from and until so many seconds from now, with the key of another
sub dated {
    my ($name, $from, $until) = @_;
    my $bio = Net::SSLeay::BIO_new_file("$dir/$name.key", 'r');
    my $pkey = Net::SSLeay::PEM_read_bio_PrivateKey($bio);
    my $x = Net::SSLeay::X509_new();
    my $cn = Net::SSLeay::X509_get_subject_name($x);
    Net::SSLeay::X509_set_version($x, 2);
    Net::SSLeay::X509_NAME_add_entry_by_txt($cn, 'CN', 0x1000, 'dated');
    Net::SSLeay::X509_set_issuer_name($x, $cn);
    Net::SSLeay::X509_gmtime_adj(Net::SSLeay::X509_get_notBefore($x), $from);
    Net::SSLeay::X509_gmtime_adj(Net::SSLeay::X509_get_notAfter($x), $until);
    Net::SSLeay::X509_set_pubkey($x, $pkey);
    Net::SSLeay::X509_sign($x, $pkey,
        Net::SSLeay::EVP_get_digestbyname('sha256'));
    my $pem = Net::SSLeay::PEM_get_string_X509($x);
    $pem =~ s/-----.*?-----//g;
    return decode_base64($pem);
}

my ($h0, $h1, $h2, $h3) = map { "Intel(r) AMT Certificate: Handle: $_" }
    0 .. 3;
my $k0 = 'Intel(r) AMT Key: Handle: 0';
my $k1 = 'Intel(r) AMT Key: Handle: 1';

# ---- the store as it is ----

my $r = list();
is($r->{status}, 200, 'certificates');
like($r->{body}, qr/^\{"certificates":\{"keyManagementItems":\[\],
    "publicKeyCertificateItems":\[\{"elementName":"Intel\(r\)
    \ AMT\ Certificate","instanceID":"\Q$h0\E","x509Certificate":"[^"]+",
    "trustedRootCertificate":true,"issuer":"C=US,O=unknown,CN=MPSRoot-emulated",
    "subject":"C=US,O=unknown,CN=MPSRoot-emulated","associatedProfiles":\[\],
    "displayName":"MPSRoot-emulated"\}\]\},"publicKeys":\{
    "publicPrivateKeyPairItems":\[\]\},"profileAssociation":\[\]\}$/x,
    'its shape');

# ---- add ----

is_answer(add(encode_base64($root->{der}, ''), $true), 200,
    qq({"handle":"$h1"}), 'a trusted root, DER');
my $c = by($h1);
is($c->{x509Certificate}, encode_base64($root->{der}, ''), 'is in the store');
is($c->{trustedRootCertificate}, $true, 'trusted');
is($c->{displayName}, 'Test Root', 'its name');
is_answer(add(encode_base64($root->{der}, ''), $true), 400, $failed,
    'not twice');
$sim->add(0, 'AMT_PublicPrivateKeyPair', "InstanceID=$k0"
    . '|ElementName=Intel(r) AMT Key|DERKey='
    . encode_base64($leaf->{pub}, ''));
is_answer(add(encode_base64($leaf->{pem}), 'false'), 200,
    qq({"handle":"$h2"}), 'PEM in base64 with line breaks, "false"');
$c = by($h2);
is($c->{x509Certificate}, encode_base64($leaf->{der}, ''), 'as DER');
is($c->{trustedRootCertificate}, $false, '"false" is not trusted');
is(add(encode_base64($bare->{der}), '0')->{json}{handle}, $h3, '"0"');
is(by($h3)->{trustedRootCertificate}, $false, 'is not trusted, either');
is(by($h3)->{displayName}, $h3, 'without a common name');

# ---- keys ----

is($c->{publicKeyHandle}, $k0, 'the key of the certificate');
my $keys = list()->{json}{publicKeys}{publicPrivateKeyPairItems};
is_deeply($keys, [{ elementName => 'Intel(r) AMT Key', instanceID => $k0,
    derKey => encode_base64($leaf->{pub}, ''), certificateHandle => $h2 }],
    'and the certificate of the key');
ok(!exists by($h1)->{publicKeyHandle}, 'a root has none');

# without an association of the device: by the key itself
$sim->add(0, 'AMT_PublicPrivateKeyPair', "InstanceID=$k1"
    . '|ElementName=Intel(r) AMT Key|DERKey='
    . encode_base64($bare->{pub}, ''));
is(by($h3)->{publicKeyHandle}, $k1, 'found by the key');

# ---- profiles ----

my $epr = sub {
    my ($class, $cert, $provider) = @_;
    $sim->add(0, $class, "ElementInContext=\@AMT_PublicKeyCertificate "
        . "InstanceID=$cert|ElementProvidingContext=\@$provider");
};
$epr->('AMT_8021XCredentialContext', $h2, 'CIM_IEEE8021xSettings '
    . 'InstanceID=Intel(r) AMT:IEEE 802.1x Settings office');
$epr->('AMT_8021XCredentialContext', $h1, 'CIM_IEEE8021xSettings '
    . 'InstanceID=Intel(r) AMT:IEEE 802.1x Settings office');
$epr->('AMT_8021XWiredCredentialContext', $h2, 'IPS_IEEE8021xSettings '
    . 'InstanceID=Intel(r) AMT:IEEE 802.1x Settings wire');
$epr->('AMT_TLSCredentialContext', $h2, 'AMT_TLSProtocolEndpointCollection '
    . 'ElementName=TLSProtocolEndpoint Instances Collection');
$r = list();
my $p = $r->{json}{profileAssociation};
is_deeply([map { "$_->{type} $_->{profileID}" } @$p], [
    'TLS TLSProtocolEndpoint Instances Collection', 'Wireless office',
    'Wired wire'], 'profiles, in this order') or diag $r->{body};
is($p->[0]{clientCertificate}{instanceID}, $h2, 'the TLS certificate');
is($p->[0]{publicKey}{instanceID}, $k0, 'its key');
ok(!exists $p->[0]{rootCertificate}, 'no root');
is($p->[1]{rootCertificate}{instanceID}, $h1, 'root of the wireless one');
is($p->[1]{clientCertificate}{instanceID}, $h2, 'and its client');
is_deeply($p->[1]{clientCertificate}{associatedProfiles},
    ['TLS', 'Wireless - office', 'Wired'], 'copies are complete');
is_deeply(by($h1)->{associatedProfiles}, ['Wireless - office'],
    'profiles of the root');
is_deeply(by($h3)->{associatedProfiles}, [], 'of one that is not used');

# ---- delete ----

is_answer(remove($h2), 409, '{"errorDescription":"Cannot delete certificate '
    . "'$h2': Certificate is currently referenced by the following AMT "
    . 'profiles/configurations: TLS - TLSProtocolEndpoint Instances '
    . 'Collection, Wireless - office, Wired - wire. Remove these references '
    . 'before deleting the certificate."}', 'in use')
    or diag remove($h2)->{body};
like(remove('Intel(r) AMT Certificate')->{body},
    qr/^\{"error":\{"alarm".*'Intel\(r\) AMT Certificate' not found"\}$/,
    'by its name: no');
is(remove('x<y>')->{status}, 404, 'unknown');
$sim->set(0, 'AMT_PublicKeyCertificate[0].ReadOnlyCertificate', 'true');
is(by($h0)->{readOnlyCertificate}, $true, 'read-only');
is_answer(remove($h0), 400, e400("Cannot delete certificate '$h0': "
    . 'Certificate is read-only and cannot be removed'), 'is not deleted');
is_answer(remove($h3), 200, '{"message":"Certificate deleted successfully",'
    . qq("handle":"$h3"}), 'deleted');
is(by($h3), undef, 'is gone');
is(remove($h3)->{status}, 404, 'not twice');
is($t->delete("$api/$guid", key => $key{admin})->{status}, 404,
    'no handle, no route');

# ---- what is refused before the device is asked ----

sub invalid {
    my ($json, $name, @want) = @_;
    my $r = $t->post("$api/$guid", key => $key{admin}, json => $json);
    is($r->{status}, 400, $name) or diag $r->{body};
    is_deeply([map { $_->{msg} } @{$r->{json}{errors} || []}], \@want,
        "$name: texts") or diag $r->{body};
}
my ($required, $base64, $format, $expired, $boolean) = (
    'Certificate is required', 'Invalid base64 certificate data',
    'Invalid certificate format (not valid DER or PEM)',
    'Certificate has expired', 'isTrusted must be a boolean value');
my $good = encode_base64($big->{der}, '');

invalid({ isTrusted => $true }, 'no certificate', $required, $base64);
invalid({ cert => '', isTrusted => $true }, 'an empty one', $required,
    $format);
invalid({ cert => 5, isTrusted => $true }, 'a number', $base64);
invalid({ cert => 'no base64!', isTrusted => $true }, 'no base64', $format);
invalid({ cert => $leaf->{pem}, isTrusted => $true }, 'PEM itself', $format);
invalid({ cert => encode_base64('hello'), isTrusted => $true },
    'no certificate in it', $format);
invalid({ cert => encode_base64($leaf->{der} . "\0"), isTrusted => $true },
    'a byte too many', $format);
invalid({ cert => encode_base64(substr $leaf->{der}, 0, -1),
    isTrusted => $true }, 'a byte too few', $format);
invalid({ cert => 'QUFB' x 20000, isTrusted => $true }, 'a large text',
    $format);
invalid({ cert => $good }, 'trusted or not', $boolean);
invalid({ cert => $good, isTrusted => 'notbool' }, 'not a boolean', $boolean);
invalid({ cert => $good, isTrusted => [$true] }, 'a list', $boolean);

# what the emulated AMT takes has at most 4100 bytes
is_answer(add($good, $false), 400, $failed, 'too large for the device')
    if length $big->{der} > 4100;

# a certificate whose time is over
invalid({ cert => encode_base64(dated('leaf', -7200, -3600)),
    isTrusted => $false }, 'an expired one', $expired);
is(add(encode_base64(dated('leaf', 3600, 7200)), $false)->{status}, 200,
    'one whose time is yet to come');

my $audit = $t->read_file('logs/audit.log');
like($audit, qr/"certificate.add".*"guid":"$guid".*"sha256":"[0-9a-f]{64}",
    "trusted":true/x, 'who added what');
like($audit, qr/"certificate.delete".*"handle":"\Q$h3\E"/,
    'who deleted what');

# ---- everything that goes wrong ----

my $exception = 'Exception during AMT Certificates request';
my $text = encode_base64($root->{der}, '');
AMT::Fail::routes($t, $sim, 1,
    { path => 'certificates GET', scope => 'redirection',
      exception => $exception,
      ask => sub { $t->get("$api/$_[0]", @_[1 .. $#_]) } },
    { path => 'certificates POST', scope => 'power', exception => $exception,
      except => { fault => "400 $failed" },
      ask => sub { $t->post("$api/$_[0]", @_[1 .. $#_],
          json => { cert => $text, isTrusted => $true }) } },
    { path => 'certificates DELETE', scope => 'reader',
      exception => $exception,
      ask => sub { $t->delete("$api/$_[0]/Intel%28r%29%20AMT%20Certificate"
          . '%3A%20Handle%3A%200', @_[1 .. $#_]) } });
$sim->misbehave(1, 'return=2058');
is($t->post("$api/" . $sim->guid(1), key => $key{admin}, json => {
    cert => $text, isTrusted => $true })->{body}, $failed, 'a return value');
$sim->misbehave(1, 'off');

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();

#!/usr/bin/perl
# REST: wireless state, profile synchronisation, profiles with PSK and with
# 802.1x; the device's store of keys and certificates before and after.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use JSON::PP;
use MIME::Base64;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
# nginx's own debug messages do not pass the sanitizers
my $level = $slow == 1 ? 'debug' : 'info';
my ($t, $vault) = AMT::Api::start(test => { log_level => $level },
    http => 'amt_timeout ' . (4 * $slow) . 's; amt_budget ' . (9 * $slow)
    . 's;');
my $sim = AMT::Api::devices($t, count => 1);
my $guid = $sim->guid(0);
my $G = uc $guid;
my $api = '/api/v1/amt';
my $base = "$api/networkSettings/wireless";
my $state = "$base/state/$guid";
my $sync = "$base/profileSync/$guid";
my $profile = "$base/profile/$guid";
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);

sub as { (key => $key{$_[0]}) }

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

sub bad { '{"error":"Incorrect URI or Bad Request","errorDescription":'
    . qq("$_[0]"}) }
sub e500 { qq({"error":"Internal Server Error","errorDescription":"$_[0]"}) }
sub e504 { qq({"error":"Gateway Timeout","errorDescription":"$_[0]"}) }
sub named { qq({"error":"$_[0]","errorDescription":"$_[1]"}) }
sub invalid {
    return '{"errors":[' . join(',', map {
        my ($value, $msg, $path, $where) = @$_;
        $where ||= 'body';
        '{"type":"field"' . (defined $value ? ",\"value\":$value" : '')
            . qq(,"msg":"$msg","path":"$path","location":"$where"})
    } @_) . ']}';
}

# the answer while the device misbehaves
sub while_it {
    my ($how, $ask) = @_;
    $sim->misbehave(0, $how);
    my $r = $ask->();
    $sim->misbehave(0, 'off');
    return $r;
}

my $exception = 'Exception during AMT Network Settings request';

# ---- state ----

is_answer($t->get($state, as('reader')), 200, '{"state":"WifiDisabled"}',
    'state');
for my $c (['{}', [undef, 'state is required', 'state']],
    (map { [qq({"state":$_}), [$_, 'state must be one of WifiDisabled, '
        . 'WifiEnabledS0, WifiEnabledS0SxAC', 'state']] }
        'null', '3', '""', '"on"', '["WifiDisabled"]'))
{
    my ($in, @errors) = @$c;
    is_answer($t->post($state, as('admin'), body => $in, headers =>
        { 'Content-Type' => 'application/json' }), 400, invalid(@errors),
        "state $in");
}
for my $s (['wifienableds0sxac', 'WifiEnabledS0SxAC', 32769],
    ['WIFIENABLEDS0', 'WifiEnabledS0', 32768],
    ['WifiEnabledS0', 'WifiEnabledS0', 32768])
{
    is_answer($t->post($state, as('admin'), json => { state => $s->[0] }),
        200, qq({"state":"$s->[1]"}), $s->[0]);
    is($sim->instances(0, 'CIM_WiFiPort')->[0]{EnabledState}, $s->[2],
        'the device has it');
    is_answer($t->get($state, as('reader')), 200, qq({"state":"$s->[1]"}),
        'and says so');
}
my $failed = bad("Wireless State change failed for guid : $G.");
for my $how ('at:RequestStateChange,return=5', 'at:RequestStateChange,fault') {
    is_answer(while_it($how, sub { $t->post("$base/state/$G", as('admin'),
        json => { state => 'WifiDisabled' }) }), 400, $failed, $how);
}
$sim->set(0, 'CIM_WiFiPort.EnabledState', 2);
is_answer($t->get($state, as('reader')), 500,
    e500('Unsupported wireless state'), 'a state without a name');
$sim->set(0, 'CIM_WiFiPort.EnabledState', 3);

# ---- profile synchronisation ----

sub synced {
    my ($local, $uefi, $supported) = map { $_ ? 'true' : 'false' } @_;
    return qq({"localProfileSync":$local,"uefiProfileSync":$uefi,)
        . qq("uefiProfileSyncSupported":$supported});
}

my $boot = $sim->instances(0, 'AMT_BootCapabilities')->[0];
my $can = ($boot->{UEFIWiFiCoExistenceAndProfileShare} // '') eq 'true';
my $service = 'AMT_WiFiPortConfigurationService';
sub service { $sim->instances(0, $service)->[0]{$_[0]} }

is_answer($t->get($sync, as('reader')), 200, synced(0, 0, $can), 'sync');
is_answer($t->post($sync, as('admin'), json => { localProfileSync => 1,
    uefiProfileSync => 'true' }), 400, invalid(['1',
    'localProfileSync must be a boolean', 'localProfileSync'], ['"true"',
    'uefiProfileSync must be a boolean', 'uefiProfileSync']),
    'strict booleans');
$sim->mark;
is_answer($t->post($sync, as('admin'), json => { localProfileSync => $no,
    uefiProfileSync => undef }), 200, synced(0, 0, $can), 'nothing changes');
is_answer($t->post($sync, as('admin')), 200, synced(0, 0, $can), 'no body');
ok(!$sim->wait_event('put', timeout => 0.1), 'nothing was put');
is_answer($t->post($sync, as('admin'), json => { localProfileSync => $yes }),
    200, synced(1, 0, $can), 'on');
is(service('localProfileSynchronizationEnabled'), 3, 'the device has it');
is(service('UEFIWiFiProfileShareEnabled'), 'false', 'the other is untouched');
is_answer($t->get($sync, as('reader')), 200, synced(1, 0, $can), 'read back');
$sim->set(0, "$service.localProfileSynchronizationEnabled", 1);
is_answer($t->post($sync, as('admin'), json => { localProfileSync => $yes }),
    200, synced(1, 0, $can), 'on, was restricted');
is(service('localProfileSynchronizationEnabled'), 3, 'is not any more');
$sim->set(0, 'AMT_BootCapabilities.UEFIWiFiCoExistenceAndProfileShare',
    'false');
is_answer($t->post($sync, as('admin'), json => { localProfileSync => $no,
    uefiProfileSync => $yes }), 409,
    named('UEFI WiFi profile sync is not supported on this device',
    'UEFI WiFi profile sync is not supported on this device for guid : '
    . "$guid."), 'UEFI is not supported');
is(service('localProfileSynchronizationEnabled'), 3, 'all or nothing');
$sim->set(0, 'AMT_BootCapabilities.UEFIWiFiCoExistenceAndProfileShare',
    'true');
is_answer($t->post($sync, as('admin'), json => { localProfileSync => $no,
    uefiProfileSync => $yes }), 200, synced(0, 1, 1), 'UEFI');
is(service('UEFIWiFiProfileShareEnabled'), 'true', 'the device has it');
my $update = 'Wireless Profile Sync update failed';
is_answer(while_it('at:Put,fault=2', sub { $t->post($sync, as('admin'),
    json => { localProfileSync => $yes }) }), 400,
    named($update, "$update for guid : $guid. The sender was not authorized "
    . 'to access the resource.'), 'Put refused');
is_answer(while_it('at:Get,fault*1', sub { $t->post($sync, as('admin'),
    json => { localProfileSync => $yes }) }), 500,
    named($update, "$update for guid : $guid."), 'cannot be read');
is_answer(while_it('at:Get,fault*1', sub { $t->get($sync, as('reader')) }),
    500, e500($exception), 'GET: cannot be read');

# ---- profiles: what is refused before the device ----

my $iv = 'Invalid value';
my @missing = ([undef, $iv, 'profileName'],
    [undef, 'profileName is required and must be alphanumeric',
        'profileName'],
    [undef, $iv, 'ssid'], [undef, 'ssid is required', 'ssid'],
    [undef, 'priority must be between 1 and 255', 'priority'],
    [undef, $iv, 'authenticationMethod'],
    [undef, 'authenticationMethod is required', 'authenticationMethod'],
    [undef, $iv, 'encryptionMethod'],
    [undef, 'encryptionMethod is required', 'encryptionMethod']);
my $protocol = 'ieee8021x.authenticationProtocol must be 0 (EAP-TLS) or 2 '
    . '(PEAP)';
my @x = ([undef, $iv, 'ieee8021x.username'],
    [undef, 'ieee8021x.username is required', 'ieee8021x.username'],
    [undef, $protocol, 'ieee8021x.authenticationProtocol']);
my %psk = (profileName => 'home', ssid => 'Home Net', priority => 1,
    authenticationMethod => 'WPA2PSK', encryptionMethod => 'CCMP',
    password => 'pass&word<1>');
my %eap = (profileName => 'corp', ssid => 'Corp', priority => 2,
    authenticationMethod => 'WPA2IEEE8021x', encryptionMethod => 'CCMP');

for my $method ('post', 'patch') {
    is_answer($t->$method($profile, as('admin'), json => {}), 400,
        invalid(@missing), "$method: nothing");
    is_answer($t->$method($profile, as('admin'), json => { %eap,
        ieee8021x => undef }), 400, invalid([undef,
        'ieee8021x must be an object', 'ieee8021x'], @x), 'null');
    is_answer($t->$method($profile, as('admin'), json => { %eap,
        ieee8021x => 'secret words' }), 400, invalid([undef,
        'ieee8021x must be an object', 'ieee8021x'], @x),
        'no object, not echoed');
    is_answer($t->$method($profile, as('admin'), json => { %psk,
        password => ['secret words'] }), 400,
        invalid([undef, $iv, 'password']), 'password is no string');
    # what AMT has no room for
    my $umlaut = "\x{e4}";
    is_answer($t->$method($profile, as('admin'), json => { %psk,
        profileName => 'n' x 41, ssid => $umlaut x 17, password => 'p' x 64,
        }), 400, invalid(
        [qq("@{['n' x 41]}"), 'profileName is too long', 'profileName'],
        [qq("@{["\xc3\xa4" x 17]}"), 'ssid is too long', 'ssid'],
        [undef, 'password is too long', 'password']), 'too long');
    is_answer($t->$method($profile, as('admin'), json => { %eap, ieee8021x =>
        { username => 'u' x 129, authenticationProtocol => 2,
        password => 'p' x 257 } }), 400, invalid(
        [qq("@{['u' x 129]}"), 'ieee8021x.username is too long',
            'ieee8021x.username'],
        [undef, 'ieee8021x.password is too long', 'ieee8021x.password']),
        'user and password too long');
    unlike($t->$method($profile, as('admin'), json => { %psk,
        authenticationMethod => 'none', profileName => 'n' x 40,
        ssid => $umlaut x 16, password => 'p' x 63 })->{body}, qr/too long/,
        'as long as it may be');
    is_answer($t->$method($profile, as('admin'), json => { %eap, ieee8021x =>
        { username => 'u', authenticationProtocol => 0,
        password => 5, privateKey => {}, clientCert => [],
        caCert => $yes } }), 400, invalid(map { [undef, $iv,
        "ieee8021x.$_"] } qw(password privateKey clientCert caCert)),
        'secrets are strings, not echoed');
    is_answer($t->$method($profile, as('admin'), json => { %eap, ieee8021x =>
        { username => '', authenticationProtocol => 3 } }), 400,
        invalid(['""', 'ieee8021x.username is required',
        'ieee8021x.username'], ['3', $protocol,
        'ieee8021x.authenticationProtocol']), 'empty user, protocol 3');
}
for my $name ('a b', 'a-b', "a\n", '', 'ä') {
    my $value = JSON::PP->new->allow_nonref->encode($name);
    my $r = $t->post($profile, as('admin'), json => { %psk,
        profileName => $name });
    is($r->{status}, 400, "profileName $value");
}
for my $p (0, 256, '1.5', 'x', [1]) {
    is($t->post($profile, as('admin'), json => { %psk, priority => $p })
        ->{status}, 400, 'priority ' . encode_json([$p]));
}
my $pskrule = 'PSK authentication requires a password and must not include '
    . 'ieee8021x settings';
my $xrule = 'IEEE 802.1x authentication requires ieee8021x settings and must '
    . 'not include a password';
my %x = (username => 'dev1', authenticationProtocol => 0);
for my $c (
    [{ %psk, authenticationMethod => 'WPA4' },
        'authenticationMethod is invalid'],
    [{ %psk, encryptionMethod => 'ROT13' }, 'encryptionMethod is invalid'],
    [{ %psk, password => '' }, $pskrule], [{ %psk, ieee8021x => \%x },
        $pskrule],
    [\%eap, $xrule], [{ %eap, password => 'x', ieee8021x => \%x }, $xrule],
    [{ %eap, ieee8021x => { %x, authenticationProtocol => 1 } }, $protocol],
    [{ %eap, ieee8021x => { %x, authenticationProtocol => '0' } },
        $protocol],
    (map { [{ %psk, authenticationMethod => $_ },
        'authenticationMethod is not supported'] }
        qw(Other OpenSystem SharedKey WPA3SAE wpa3owe)),
    [{ %eap, ieee8021x => { %x, privateKey => 'no key' } },
        'ieee8021x.privateKey is not an RSA private key in base64 or PEM'],
    [{ %eap, ieee8021x => { %x, clientCert => 'AAAA' } },
        'ieee8021x.clientCert is not an X.509 certificate in base64 or PEM'],
    [{ %eap, ieee8021x => { %x, caCert => "-----BEGIN CERTIFICATE-----\nAA\n"
        . '-----END CERTIFICATE-----' } },
        'ieee8021x.caCert is not an X.509 certificate in base64 or PEM'])
{
    is_answer($t->post($profile, as('admin'), json => $c->[0]), 400,
        bad($c->[1]), $c->[1]);
}
is_answer($t->delete("$profile/a%20b", as('admin')), 400, invalid(['"a b"',
    'profileName must be alphanumeric', 'profileName', 'params']),
    'DELETE: name');
is_answer($t->get($profile, as('reader')), 200, '[]',
    'the user\'s own profiles are not shown');

# ---- PSK ----

sub wifi { grep { $_->{InstanceID} !~ /User Settings/ }
    @{$sim->instances(0, 'CIM_WiFiEndpointSettings')} }

is_answer($t->patch($profile, as('admin'), json => \%psk), 404,
    named('Wireless Profile not found', 'Wireless Profile not found: home.'),
    'PATCH before POST');
is_answer($t->post($profile, as('admin'), json => \%psk), 204, '', 'POST');
my ($w) = wifi();
is_deeply({ map { $_ => $w->{$_} } qw(ElementName InstanceID SSID Priority
    AuthenticationMethod EncryptionMethod PSKPassPhrase) },
    { ElementName => 'home', InstanceID =>
        'Intel(r) AMT:WiFi Endpoint Settings home', SSID => 'Home Net',
        Priority => 1, AuthenticationMethod => 6, EncryptionMethod => 4,
        PSKPassPhrase => 'pass&word<1>' }, 'the device has it');
my $one = '[{"profileName":"home","ssid":"Home Net","authenticationMethod":'
    . '"WPA2PSK","encryptionMethod":"CCMP","priority":1}]';
is_answer($t->get($profile, as('reader')), 200, $one, 'GET, without secret');
is_answer($t->post($profile, as('admin'), json => \%psk), 409,
    '{"errorDescription":"Wireless Profile already exists: home."}', 'twice');
is_answer($t->post($profile, as('admin'), json => { %psk,
    profileName => 'other', priority => '1' }), 409, '{"errorDescription":'
    . '"Wireless Profile with the requested priority already exists: 1."}',
    'priority, as text');
is_answer($t->patch($profile, as('admin'), json => { %psk, ssid => '0123',
    priority => '7', authenticationMethod => 'wpapsk',
    encryptionMethod => 'tkip' }), 204, '', 'PATCH');
is_answer($t->get($profile, as('reader')), 200, '[{"profileName":"home",'
    . '"ssid":"0123","authenticationMethod":"WPAPSK","encryptionMethod":'
    . '"TKIP","priority":7}]', 'digits stay text');
is_answer(while_it('at:AddWiFiSettings,return=3', sub { $t->post($profile,
    as('admin'), json => { %psk, profileName => 'new' }) }), 400,
    bad("Wireless Profile add failed for guid : $guid."), 'refused');
is_answer(while_it('at:UpdateWiFiSettings,fault', sub { $t->patch(
    "$base/profile/$G", as('admin'), json => \%psk) }), 400,
    bad("Wireless Profile update failed for guid : $G."), 'fault');
is_answer(while_it('at:AddWiFiSettings,lost', sub { $t->post($profile,
    as('admin'), json => { %psk, profileName => 'lost', priority => 9 }) }),
    504, e504($exception), 'an answer is lost');
is(scalar(wifi()), 2, 'but it was done');
is_answer($t->delete("$profile/lost", as('admin')), 204, '', 'DELETE');
is(scalar(wifi()), 1, 'is gone');

# names of digits, and eight of them at most
for my $i (2 .. 8) {
    is($t->post($profile, as('admin'), json => { %psk, profileName => "$i",
        priority => 10 + $i })->{status}, 204, "profile $i");
}
is_answer($t->post($profile, as('admin'), json => { %psk,
    profileName => 'ninth', priority => 99 }), 409, '{"errorDescription":'
    . '"Maximum number of wireless profiles already configured on the device '
    . "for guid : $guid.\"}", 'one too many');
is_answer(while_it('at:Delete,fault', sub { $t->delete("$profile/2",
    as('admin')) }), 400, bad('Wireless Profile delete failed: 2.'),
    'DELETE refused');
for my $i (2 .. 8) {
    is($t->delete("$profile/$i/", as('admin'))->{status}, 204, "no $i");
}
is_answer($t->delete("$profile/2", as('admin')), 404,
    named('Wireless Profile not found', 'Wireless Profile not found: 2.'),
    'is gone');
is_answer($t->delete("$profile/HOME", as('admin')), 404,
    named('Wireless Profile not found', 'Wireless Profile not found: HOME.'),
    'letter case matters');

# ---- 802.1x ----

sub openssl {
    my $cmd = join ' ', map { "'$_'" } 'openssl', @_;
    system("cd '$t->{dir}' && $cmd >/dev/null 2>&1") == 0 or die $cmd;
}

openssl(qw(req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt
    -days 3 -subj /CN=radius));
openssl(qw(req -newkey rsa:2048 -nodes -keyout wifi.key -out wifi.csr -subj
    /CN=dev1));
openssl(qw(x509 -req -in wifi.csr -CA ca.crt -CAkey ca.key -CAcreateserial
    -out wifi.crt -days 3));
openssl(qw(rsa -in wifi.key -traditional -out wifi.pkcs1));
openssl(qw(rsa -in wifi.key -RSAPublicKey_out -out wifi.pub));

sub der {
    my ($pem) = $t->read_file($_[0])
        =~ /-----BEGIN [A-Z0-9 ]+-----\n(.*?)-----END/s or die $_[0];
    $pem =~ s/\s//g;
    return $pem;
}

my %cred = (privateKey => der('wifi.pkcs1'), clientCert => der('wifi.crt'),
    caCert => der('ca.crt'));
sub keys_of { @{$sim->instances(0, 'AMT_PublicPrivateKeyPair')} }
sub certs { @{$sim->instances(0, 'AMT_PublicKeyCertificate')} }
my @before = (scalar(keys_of()), scalar(certs()));

is_answer($t->post($profile, as('admin'), json => { %eap, ieee8021x =>
    { %x, %cred, privateKey => der('ca.key') } }), 400,
    bad('ieee8021x.clientCert is not for ieee8021x.privateKey'),
    'key of somebody else');
for my $how (['at:AddWiFiSettings,return=3', 400,
        bad("Wireless Profile add failed for guid : $guid.")],
    ['at:AddWiFiSettings,fault', 400,
        bad("Wireless Profile add failed for guid : $guid.")],
    ['at:AddTrustedRootCertificate,return=23', 500, e500($exception)],
    ['at:AddCertificate,fault', 500, e500($exception)],
    ['at:AddKey,return=2062', 500, e500($exception)])
{
    is_answer(while_it($how->[0], sub { $t->post($profile, as('admin'),
        json => { %eap, ieee8021x => { %x, %cred } }) }), $how->[1],
        $how->[2], $how->[0]);
    is_deeply([scalar(keys_of()), scalar(certs())], \@before,
        'and nothing is left behind');
}

is_answer($t->post($profile, as('admin'), json => { %eap, ieee8021x =>
    { %x, %cred, publicKey => 'mine' } }), 204, '', 'EAP-TLS');
is_deeply([scalar(keys_of()), scalar(certs())],
    [$before[0] + 1, $before[1] + 2], 'key and certificates were added');
is((grep { $_->{DERKey} eq der('wifi.pub') } keys_of()), 1, 'the public key');
my ($cert) = grep { $_->{X509Certificate} eq $cred{clientCert} } certs();
my ($ca) = grep { $_->{X509Certificate} eq $cred{caCert} } certs();
is("$cert->{TrustedRootCertficate} $ca->{TrustedRootCertficate}",
    'false true', 'one of them is a root');
my $context = encode_json($sim->instances(0, 'AMT_8021XCredentialContext'));
like($context, qr/\Q$_->{InstanceID}\E/, "$_->{Subject} is used by it")
    for $cert, $ca;
my $corp = '{"profileName":"corp","ssid":"Corp","authenticationMethod":'
    . '"WPA2IEEE8021x","encryptionMethod":"CCMP","priority":2,"ieee8021x":'
    . '{"username":"dev1","authenticationProtocol":0}}';
my $r = $t->get($profile, as('reader'));
like($r->{body}, qr/^\[\{.*\},\Q$corp\E\]$/, 'GET with 802.1x');

# the same credentials in other clothes are found again
for my $c (
    ['PKCS#8, with lines', { privateKey => encode_base64(decode_base64(
        der('wifi.key'))), clientCert => encode_base64(decode_base64(
        $cred{clientCert})), caCert => $cred{caCert} }],
    ['PEM', { privateKey => $t->read_file('wifi.key'), clientCert =>
        $t->read_file('wifi.crt'), caCert => $t->read_file('ca.crt') }],
    ['PEM in base64', { privateKey => encode_base64($t->read_file('wifi.key'),
        ''), clientCert => encode_base64($t->read_file('wifi.crt'), ''),
        caCert => encode_base64($t->read_file('ca.crt'), '') }])
{
    is_answer($t->patch($profile, as('admin'), json => { %eap,
        ssid => $c->[0], ieee8021x => { %x, %{$c->[1]} } }), 204, '',
        $c->[0]);
    is_deeply([scalar(keys_of()), scalar(certs())],
        [$before[0] + 1, $before[1] + 2], 'nothing was added');
    is((wifi())[-1]{SSID}, $c->[0], 'the profile was changed');
}

# PEAP: a password instead of a key
is_answer($t->post($profile, as('admin'), json => { %eap,
    profileName => 'peap', priority => 3, ieee8021x => { username => 'd&d',
    authenticationProtocol => 2, password => 'radius<Pass>1', privateKey =>
    '', clientCert => undef, caCert => $cred{caCert} } }), 204, '', 'PEAP');
my ($set) = grep { $_->{InstanceID} =~ / peap$/ }
    @{$sim->instances(0, 'CIM_IEEE8021xSettings')};
is_deeply([@$set{qw(Username Password AuthenticationProtocol InstanceID)}],
    ['d&d', 'radius<Pass>1', 2, 'Intel(r) AMT:IEEE 802.1x Settings peap'],
    'the device has user and password');
$r = $t->get("$api/networkSettings/$guid", as('reader'))->{json}{wireless};
is_deeply($r->{ieee8021xSettings}[-1], { authenticationProtocol => 2,
    roamingIdentity => '', serverCertificateName => '',
    serverCertificateNameComparison => 0, username => 'd&d', domain => '' },
    'settings without secrets');
is_deeply([map { $_->{elementName} } @{$r->{wifiNetworks}}],
    [qw(home corp peap)], 'networks');

# a used certificate survives what fails later
is_answer(while_it('at:AddWiFiSettings,return=3', sub { $t->post($profile,
    as('admin'), json => { %eap, profileName => 'again', priority => 4,
    ieee8021x => { %x, %cred } }) }), 400,
    bad("Wireless Profile add failed for guid : $guid."), 'refused');
is_deeply([scalar(keys_of()), scalar(certs())],
    [$before[0] + 1, $before[1] + 2], 'what was there before stays');

# ---- clients that leave: all of it or nothing ----

my $body = JSON::PP->new->canonical->encode({ %eap, profileName => 'gone',
    priority => 5, ieee8021x => { %x, %cred } });
for my $path ($profile) {
    my $s = $t->socket('http');
    syswrite $s, "POST $path HTTP/1.1\r\nHost: h\r\nX-API-Key: $key{admin}"
        . "\r\nContent-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
    $sim->mark;
    close $s;
}
ok($t->wait_for(sub { $t->get($profile, as('reader'))->{status} == 200 }),
    'the device is well');

# ---- no wireless port ----

my $other = AMT::Api::devices($t, guid =>
    'b0000000-0000-4000-8000-000000000001', without => 'CIM_WiFiPort');
my $none = $other->guid(0);
is_answer($t->get("$base/state/$none", as('reader')), 500, e500($exception),
    'class is missing');
is($other->stop, 0, 'the gateway kept to the protocol') or diag $other->log;

# ---- nothing secret in any log ----

my $audit = $t->read_file('logs/audit.log');
like($audit, qr/"wireless.profile.add".*"detail":\{"profileName":"home",
    "ssid":"Home\ Net","priority":1,"authenticationMethod":"WPA2PSK",
    "encryptionMethod":"CCMP"\}/x, 'audit');
like($audit, qr/"wireless.profile.delete".*\{"profileName":"lost"\}/,
    'audit of DELETE');
for my $file ('error.log', 'audit.log') {
    my $text = $t->read_file("logs/$file");
    unlike($text, qr/\Q$_\E/, "$file: no secret")
        for 'pass&word', 'pass&amp;word', 'radius', substr($cred{privateKey},
        40, 40);
}

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();

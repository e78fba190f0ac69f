#!/usr/bin/perl
# REST: wired port, both ports in one answer, link preference; what requests
# may say, what the device then has, what happens when it refuses.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use JSON::PP;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(http => 'amt_timeout ' . (2 * $slow)
    . 's; amt_budget ' . (5 * $slow) . 's;');
my $sim = AMT::Api::devices($t, count => 2);
my $guid = $sim->guid(0);
my $G = uc $guid;
my $api = '/api/v1/amt';
my $wired = "$api/networkSettings/wired/$guid";
my $link = "$api/network/linkPreference/$guid";

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
        my ($value, $msg, $path) = @$_;
        '{"type":"field"' . (defined $value ? ",\"value\":$value" : '')
            . qq(,"msg":"$msg","path":"$path","location":"body"})
    } @_) . ']}';
}

sub port { $sim->instances(0, 'AMT_EthernetPortSettings')->[$_[0]] }

# ---- reading ----

my $mac = port(0)->{MACAddress};
my $W = '{"elementName":"Intel(r) AMT Ethernet Port Settings",'
    . '"instanceID":"Intel(r) AMT Ethernet Port Settings 0","vlanTag":0,'
    . qq("sharedMAC":true,"macAddress":"$mac","linkIsUp":true,)
    . '"linkPolicy":["S0 AC","Sx AC"],"sharedStaticIP":false,'
    . '"sharedDynamicIP":true,"ipSyncEnabled":true,"dhcpEnabled":true,'
    . '"ipAddress":"192.0.2.99","subnetMask":"255.255.255.0",'
    . '"defaultGateway":"192.0.2.1","primaryDNS":"192.0.2.1",'
    . '"secondaryDNS":"","physicalConnectionType":"Integrated LAN NIC",'
    . '"physicalNICMedium":"","ieee8021x":{"enabled":"Disabled",'
    . '"availableInS0":false,"pxeTimeout":120}}';

is_answer($t->get($wired, as('reader')), 200, $W, 'wired');
is_answer($t->get("/mps$wired", as('reader')), 200, $W, 'the other layout');

my $wmac = port(1)->{MACAddress};
my $L = '{"elementName":"Intel(r) AMT Ethernet Port Settings",'
    . '"instanceID":"Intel(r) AMT Ethernet Port Settings 1","vlanTag":0,'
    . qq("sharedMAC":true,"macAddress":"$wmac","linkIsUp":false,)
    . '"linkPolicy":[],"sharedStaticIP":false,"sharedDynamicIP":false,'
    . '"ipSyncEnabled":false,"dhcpEnabled":true,"ipAddress":"",'
    . '"subnetMask":"","defaultGateway":"","primaryDNS":"",'
    . '"secondaryDNS":"","physicalConnectionType":"Wireless LAN",'
    . '"physicalNICMedium":"","consoleTCPMaxRetransmissions":5,'
    . '"linkPreference":"Host","linkControl":"Host",'
    . '"wlanLinkProtectionLevel":"None","wifiNetworks":[],'
    . '"ieee8021xSettings":[],"wifiPortConfigService":{"requestedState":12,'
    . '"enabledState":5,"healthState":5,"elementName":'
    . '"Intel(r) AMT WiFiPort Configuration Service",'
    . '"systemCreationClassName":"CIM_ComputerSystem",'
    . '"systemName":"Intel(r) AMT","creationClassName":'
    . '"AMT_WiFiPortConfigurationService","name":'
    . '"Intel(r) AMT WiFi Port Configuration Service",'
    . '"localProfileSynchronizationEnabled":0,'
    . '"lastConnectedSsidUnderMeControl":"","noHostCsmeSoftwarePolicy":0,'
    . '"uefiWiFiProfileShareEnabled":false}}';

is_answer($t->get("$api/networkSettings/$guid", as('reader')), 200,
    qq({"wired":$W,"wireless":$L}), 'both');

# one policy is a list, unknown ones have a name, digits stay a name
$sim->set(0, 'AMT_EthernetPortSettings.LinkPolicy', '16');
is_deeply($t->get($wired, as('reader'))->{json}{linkPolicy}, ['S0 DC'],
    'a list of one');
$sim->set(0, 'AMT_EthernetPortSettings.LinkPolicy', '224|99|1');
is_deeply($t->get($wired, as('reader'))->{json}{linkPolicy},
    ['Sx DC', 'Unknown', 'S0 AC'], 'policies');
$sim->set(0, 'AMT_EthernetPortSettings.LinkPolicy', '1|14');

# ---- PATCH: what is refused before the device ----

my $is = 'must be a valid IPv4 address';
for my $c (
    ['{}', [undef, 'dhcpEnabled must be a boolean', 'dhcpEnabled']],
    ['{"dhcpEnabled":"yes","ipSyncEnabled":null}',
        ['"yes"', 'dhcpEnabled must be a boolean', 'dhcpEnabled'],
        ['null', 'ipSyncEnabled must be a boolean', 'ipSyncEnabled']],
    ['{"dhcpEnabled":[true]}', ['[true]', 'dhcpEnabled must be a boolean',
        'dhcpEnabled']],
    ['{"dhcpEnabled":false,"ipAddress":"1.2.3","subnetMask":"256.0.0.0",'
        . '"defaultGateway":"::1","primaryDNS":5,"secondaryDNS":{}}',
        ['"1.2.3"', "ipAddress $is", 'ipAddress'],
        ['"256.0.0.0"', "subnetMask $is", 'subnetMask'],
        ['"::1"', "defaultGateway $is", 'defaultGateway'],
        ['5', "primaryDNS $is", 'primaryDNS'],
        ['{}', "secondaryDNS $is", 'secondaryDNS']])
{
    my ($in, @errors) = @$c;
    is_answer($t->patch($wired, as('admin'), body => $in, headers =>
        { 'Content-Type' => 'application/json' }), 400, invalid(@errors),
        "wired $in");
}

my %static = (ipAddress => '192.0.2.50', subnetMask => '255.255.255.0',
    defaultGateway => '192.0.2.1', primaryDNS => '192.0.2.1');
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
$sim->mark;
for my $c (
    [{ dhcpEnabled => $yes, ipAddress => '192.0.2.50' },
        'cannot specify static IP settings when DHCP is enabled'],
    [{ dhcpEnabled => 'false', ipSyncEnabled => 1, %static },
        'cannot specify static IP settings when IP sync is enabled'],
    [{ dhcpEnabled => $no },
        'must enable DHCP, enable IP sync, or provide static IP settings'],
    [{ dhcpEnabled => 0, ipSyncEnabled => 'false', ipAddress => '' },
        'must enable DHCP, enable IP sync, or provide static IP settings'],
    (map { my %s = %static; delete $s{$_};
        [{ dhcpEnabled => $no, %s },
            "$_ is required for static IP configuration"] }
        qw(ipAddress subnetMask defaultGateway primaryDNS)))
{
    is_answer($t->patch($wired, as('admin'), json => $c->[0]), 400,
        bad($c->[1]), $c->[1]);
}
is_answer($t->patch($wired, as('admin'), json => { dhcpEnabled => $yes,
    ieee8021x => {} }), 501, '{"error":"Not Implemented","errorDescription":'
    . '"Wired 802.1X configuration is not yet supported"}', '802.1x');
ok(!$sim->wait_event('put', timeout => 0.1), 'the device was left alone');

# ---- PATCH: what the device then has ----

my %before = %{port(0)};
sub has {
    my ($name, %want) = @_;
    my %got = %{port(0)};
    my @fields = qw(DHCPEnabled IpSyncEnabled SharedStaticIp IPAddress
        SubnetMask DefaultGateway PrimaryDNS SecondaryDNS);
    is_deeply({ map { $_ => $got{$_} // '' } @fields },
        { (map { $_ => '' } @fields), %want }, $name);
    delete @got{@fields};
    my %rest = %before;
    delete @rest{@fields};
    is_deeply(\%got, \%rest, "$name, and the rest is as it was");
}

is_answer($t->patch($wired, as('admin'), json => { dhcpEnabled => $no,
    ipSyncEnabled => $no, %static, secondaryDNS => '192.0.2.2' }), 204, '',
    'static');
has('static addresses', DHCPEnabled => 'false', IpSyncEnabled => 'false',
    SharedStaticIp => 'false', IPAddress => '192.0.2.50',
    SubnetMask => '255.255.255.0', DefaultGateway => '192.0.2.1',
    PrimaryDNS => '192.0.2.1', SecondaryDNS => '192.0.2.2');
my $r = $t->get($wired, as('reader'));
is($r->{json}{ipAddress}, '192.0.2.50', 'and is read back');
ok(!$r->{json}{dhcpEnabled}, 'without DHCP');

is_answer($t->patch($wired, as('admin'), json => { dhcpEnabled => 'false',
    ipSyncEnabled => 'true', ipAddress => '' }), 204, '', 'with the host');
has('shared static', DHCPEnabled => 'false', IpSyncEnabled => 'true',
    SharedStaticIp => 'true');

# sync is on and not mentioned: the addresses are taken all the same
is_answer($t->patch($wired, as('admin'), json => { dhcpEnabled => $no,
    %static }), 204, '', 'static, sync not mentioned');
has('is static', DHCPEnabled => 'false', IpSyncEnabled => 'false',
    SharedStaticIp => 'false', IPAddress => '192.0.2.50',
    SubnetMask => '255.255.255.0', DefaultGateway => '192.0.2.1',
    PrimaryDNS => '192.0.2.1');

is_answer($t->patch("$api/networkSettings/wired/$G", as('admin'), json => {
    dhcpEnabled => $yes, ipSyncEnabled => $no, ieee8021x => undef }), 204, '',
    'DHCP, sync not asked');
has('DHCP', DHCPEnabled => 'true', IpSyncEnabled => 'true',
    SharedStaticIp => 'false');
ok($sim->wait_event('put', guid => $guid), 'one put each');

# a device that refuses says why, one that is lost is told apart
my $put = 'Wired Network Settings update failed for guid : ';
my $exception = 'Exception during AMT Network Settings request';
for my $c (['at:Put,fault=2*1', 400, bad("$put$guid. The sender was not "
        . 'authorized to access the resource.')],
    ['at:Put,lost*1', 504, e504($exception)],
    ['at:Pull,fault*1', 500, e500($exception)],
    ['garbage-http*1', 500, e500($exception)])
{
    $sim->misbehave(0, $c->[0]);
    $r = $t->patch($wired, as('admin'), json => { dhcpEnabled => $yes });
    $sim->misbehave(0, 'off');
    is_answer($r, $c->[1], $c->[2], "wired, $c->[0]");
}
$sim->set(0, 'AMT_EthernetPortSettings.InstanceID', 'Something else');
$r = named('Wired Network Settings not found',
    "Wired Network Settings not found for guid : $G.");
is_answer($t->patch("$api/networkSettings/wired/$G", as('admin'), json => {
    dhcpEnabled => $yes }), 404, $r, 'PATCH without wired port');
is_answer($t->get("$api/networkSettings/wired/$G", as('reader')), 404, $r,
    'GET without wired port');
is_answer($t->get("$api/networkSettings/$guid", as('reader')), 200,
    qq({"wired":null,"wireless":$L}), 'wireless alone');
$sim->set(0, 'AMT_EthernetPortSettings.InstanceID', $before{InstanceID});

# ---- link preference ----

for my $c (
    ['{}', [undef, 'linkPreference must be 1 (ME) or 2 (HOST)',
        'linkPreference'],
        [undef, 'timeout must be a non-negative integer', 'timeout']],
    ['{"linkPreference":3,"timeout":-1}', ['3',
        'linkPreference must be 1 (ME) or 2 (HOST)', 'linkPreference'],
        ['-1', 'timeout must be a non-negative integer', 'timeout']],
    ['{"linkPreference":[1],"timeout":1.5}', ['[1]',
        'linkPreference must be 1 (ME) or 2 (HOST)', 'linkPreference'],
        ['1.5', 'timeout must be a non-negative integer', 'timeout']])
{
    my ($in, @errors) = @$c;
    is_answer($t->post($link, as('admin'), body => $in, headers =>
        { 'Content-Type' => 'application/json' }), 400, invalid(@errors),
        "link $in");
}
is($t->post("$link?instanceID=a&instanceID=b", as('admin'), json => {
    linkPreference => 1, timeout => 0 })->{status}, 400, 'instanceID twice');

my $done = '{"ReturnValue":0,"ReturnValueStr":"SUCCESS"}';
$sim->mark;
is_answer($t->post("$link?instanceID=x", as('admin'), json => {
    linkPreference => 1, timeout => 300 }), 200, $done, 'ME');
ok($sim->wait_event('link_preference', guid => $guid, preference => 1),
    'the device was told');
is(port(1)->{LinkPreference}, 1, 'and has it');
is_answer($t->post($link, as('admin'), json => { linkPreference => '2',
    timeout => '60' }), 200, $done, 'HOST, as text');
is(port(1)->{LinkPreference}, 2, 'the device has it');
is($t->get("$api/networkSettings/$guid", as('reader'))->{json}{wireless}
    {linkPreference}, 'Host', 'and says so');
is_answer($t->post($link, as('admin'), json => { linkPreference => 1,
    timeout => 1e15 }), 200, $done, 'a very long time');

for my $c (['at:SetLinkPreference,return=36*1', 'INVALID_PARAMETER'],
    ['at:SetLinkPreference,return=777*1', 'Unknown error'],
    ['at:SetLinkPreference,fault*1', 'Unknown error'])
{
    $sim->misbehave(0, $c->[0]);
    $r = $t->post("$api/network/linkPreference/$G", as('admin'), json => {
        linkPreference => 1, timeout => 1 });
    $sim->misbehave(0, 'off');
    is_answer($r, 400, bad("Set Link Preference failed: $c->[1] for guid : "
        . "$G."), $c->[0]);
}

# ---- audit ----

my @lines = $t->read_file('logs/audit.log')
    =~ /^(.*"action":"network.*")/mg;
ok(@lines >= 15, 'changes left audit lines');
like($t->read_file('logs/audit.log'), qr/"action":"network.wired".*"guid":
    "$guid".*"detail":\{"dhcpEnabled":false,"ipSyncEnabled":false,
    "ipAddress":"192.0.2.50"/x, 'what was asked for');
like($t->read_file('logs/audit.log'), qr/"action":"network.link".*
    \{"linkPreference":1,"timeout":300\}/x, 'link');

# ---- devices without ports, and those that refuse ----

my $other = AMT::Api::devices($t, guid => 'b0000000-0000-4000-8000-000000000001',
    without => 'AMT_EthernetPortSettings');
my $none = $other->guid(0);
is_answer($t->get("$api/networkSettings/$none", as('reader')), 500,
    e500('Exception during AMT Network Settings request'), 'no such class');
is_answer($t->post("$api/network/linkPreference/$none", as('admin'),
    json => { linkPreference => 1, timeout => 1 }), 404,
    '{"error":{"alarm":"Alarm instance not found","device":"Device not found/'
    . 'connected. Please connect again using CIRA.","method":"Request does '
    . 'not contain method","noMethod":"Requested method does not exists",'
    . '"payload":"Request does not contain payload","guid":"GUID does not '
    . 'exist in the payload","action":"Power action type does not exist",'
    . '"invalidGuid":"GUID empty/invalid"},"errorDescription":"Set Link '
    . "Preference failed: No WiFi port found for guid : $none. for guid : "
    . "$none.\"}", 'no port to prefer');
is($other->stop, 0, 'the gateway kept to the protocol') or diag $other->log;
is($sim->stop, 0, 'with both devices') or diag $sim->log;

AMT::Test::done();

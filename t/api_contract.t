#!/usr/bin/perl
# REST: the contract's complete examples, answered as printed, and the calls
# of the published API test collection, in its order, against an empty store;
# in both layouts.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use JSON::PP;
use MIME::Base64 qw(decode_base64url);

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my $users = 'standalone:' . crypt('G@ppm0ym', '$6$rounds=1000$saltsalt$')
    . "::all\n";

# how the web UI and scripts call in each layout: base, login
my @layouts = (['/api/v1', '/api/v1/authorize'],
    ['/mps/api/v1', '/mps/login/api/v1/authorize']);

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

# ---- the published collection, without devices ----

my $first = '143e4567-e89b-12d3-a456-426614174000';
my $second = '243e4567-e89b-12d3-a456-426614174001';
my $unknown = '343e4567-e89b-12d3-a456-426614174002';

sub collection {
    my ($base, $login) = @_;
    my ($t, $vault) = AMT::Api::start(users => $users);
    my $token = $t->post($login, json => { username => 'Standalone',
        password => 'G@ppm0ym' })->{json}{token};
    ok($token, "$login, name without case");

    my $call = sub {
        my ($status, $method, $path, $body, $name) = @_;
        my $r = $t->request($method, "$base/$path", token => $token,
            defined $body ? (json => $body) : ());
        local $Test::Builder::Level = $Test::Builder::Level + 1;
        is($r->{status}, $status, "$base: $method $path "
            . ($name // '')) or diag $r->{body};
        return $r;
    };

    my $r = $call->(200, GET => 'ciracert');
    like($r->{body}, qr/^-----BEGIN\ CERTIFICATE-----\r\n
        ([\x21-\x7e]{64}\r\n)+([\x21-\x7e]{1,63}\r\n)?
        -----END\ CERTIFICATE-----\r\n$/x, 'as PEM');
    is_deeply($call->(200, GET => 'devices')->{json}, [], 'none');
    $call->(200, GET => 'devices/stats');
    $call->(200, GET => 'devices/tags');
    $call->(400, POST => 'devices', { guid => '143e4567-e89b-12d3-a456' });
    $call->(400, POST => 'devices', { guid => [$first] }, 'GUID as array');
    $call->(400, POST => 'devices', { guid => $first, tags => 'acm' });
    my %info = (fwVersion => '16.1', fwBuild => '3400', fwSku => '16392',
        currentMode => '0', features => 'x', ipAddress => '192.0.2.1',
        lastUpdated => '2026-01-01T00:00:00Z');
    $call->(201, POST => 'devices', { guid => $first, hostname => 'one',
        tags => ['acm'], mpsusername => 'admin', deviceInfo => \%info });
    $call->(200, POST => 'devices', { guid => $first, hostname => 'one',
        tags => ['acm'], mpsusername => 'admin' }, 'again');
    $call->(400, POST => 'devices', { guid => $first,
        deviceInfo => 'text' });
    $call->(400, POST => 'devices', { guid => $first,
        dnsSuffix => 'os.suffix.com?injected_query_string' });
    $call->(400, POST => 'devices', { guid => $first, dnsSuffix => 1 });
    $r = $call->(200, GET => "devices/$first");
    is_deeply($r->{json}{deviceInfo}, \%info, 'deviceInfo as given');
    $call->(400, GET => 'devices/143e4567');
    $call->(404, GET => "devices/redirectstatus/$first");
    $call->(200, POST => 'devices', { guid => $first, hostname => 'new' });
    $call->(400, POST => 'devices', { guid => $first,
        hostname => 'h' x 256 });
    $call->(404, PATCH => 'devices', { guid => $unknown, hostname => 'x' });
    $call->(200, PATCH => 'devices', { guid => $first, dnsSuffix => $_ })
        for 'os.suffix.com', '', undef, 'os.suffix.com.', 'localdomain';
    $call->(400, PATCH => 'devices', { guid => $first, dnsSuffix => $_ })
        for 'os.suffix.com?injected', 'a' x 256;
    $call->(404, DELETE => "devices/refresh/$first");
    $r = $call->(200, GET => "authorize/redirection/$first");
    my ($head, $claims) = map { decode_base64url($_) }
        split /\./, $r->{json}{token};
    is($head, '{"alg":"HS256","typ":"JWT"}', 'header of its token');
    like($claims, qr/^\{"tenantId":"","iss":"9EmRJTbIiIb4bIeSsmgcWIjrR6HyETqc"
        ,"deviceId":"$first","exp":\d{10}[,}]/x, 'its claims');
    $call->(400, GET => 'authorize/redirection/1');
    $call->(201, POST => 'devices', { guid => $second, hostname => 'two' });
    $call->(200, GET => 'devices?tags=acm');
    is(scalar @{$call->(200, GET => 'devices?status=1')->{json}}, 0,
        'none is connected');
    $call->(200, GET => "devices?$_") for 'status=0', 'friendlyName=',
        'hostname=';
    $r = $call->(200, GET => 'devices?$top=10&$skip=0&$count=true');
    is("$r->{json}{totalCount} " . @{$r->{json}{data}}, '2 2', 'counted');
    is(scalar @{$call->(200, GET => 'devices?$top=10&$skip=0&$count=false')
        ->{json}}, 2, 'not counted');
    $call->(400, DELETE => 'devices/243e4567');
    $call->(400, DELETE => "devices/$second?isSecretToBeDeleted=t");
    $call->(204, DELETE => "devices/$second?isSecretToBeDeleted=false");
    $call->(404, DELETE => "devices/$second?isSecretToBeDeleted=false");
    $call->(404, DELETE => "devices/disconnect/$first");

    my %psk = (profileName => 'home', ssid => 'Home', priority => 1,
        password => 'good word', authenticationMethod => 'WPA2PSK',
        encryptionMethod => 'CCMP');
    for my $g ('1', 'test-guid-123') {
        for my $c (['GET', 'log/audit/G'], ['GET', 'log/event/G'],
            ['GET', 'generalSettings/G'], ['GET', 'hardwareInfo/G'],
            ['POST', 'power/action/G', { action => 8 }],
            ['POST', 'power/bootoptions/G', { action => 400,
                useSOL => $no }],
            ['GET', 'power/capabilities/G'], ['GET', 'power/state/G'],
            ['GET', 'features/G'], ['POST', 'features/G', { userConsent =>
                'kvm', enableSOL => 'true', enableIDER => 'false',
                enableKVM => 'true' }],
            ['GET', 'version/G'], ['DELETE', 'deactivate/G'],
            ['GET', 'power/bootSources/G'],
            ['GET', 'userConsentCode/cancel/G'],
            ['GET', 'userConsentCode/G'],
            ['POST', 'userConsentCode/G', { consentCode => 985167 }],
            ['GET', 'alarmOccurrences/G'],
            ['POST', 'alarmOccurrences/G', { ElementName => 'Alarm',
                StartTime => '2022-12-31T23:59:00Z', Interval => 5 }],
            ['DELETE', 'alarmOccurrences/G', { Name => 'Alarm' }],
            ['GET', 'certificates/G'],
            ['DELETE', 'certificates/G/Intel(r)%20AMT%20Certificate%3A%20'
                . 'Handle%3A%200'],
            ['GET', 'kvm/displays/G'],
            ['PUT', 'kvm/displays/G', { displayIndex => 0 }],
            ['POST', 'network/linkPreference/G', { linkPreference => 1,
                timeout => 300 }],
            ['GET', 'networkSettings/G'], ['GET', 'networkSettings/wired/G'],
            ['PATCH', 'networkSettings/wired/G', { dhcpEnabled => $yes }],
            ['GET', 'networkSettings/wireless/state/G'],
            ['POST', 'networkSettings/wireless/state/G', { state =>
                'WifiDisabled' }],
            ['GET', 'networkSettings/wireless/profileSync/G'],
            ['POST', 'networkSettings/wireless/profileSync/G',
                { localProfileSync => $yes }],
            ['GET', 'networkSettings/wireless/profile/G'],
            ['POST', 'networkSettings/wireless/profile/G', \%psk],
            ['PATCH', 'networkSettings/wireless/profile/G', \%psk],
            ['DELETE', 'networkSettings/wireless/profile/G/home'])
        {
            (my $path = $c->[1]) =~ s/G(?=\/|$)/$g/;
            is_answer($call->(404, $c->[0] => "amt/$path", $c->[2]), 404,
                '{"error":"Device not found/connected. Please connect again '
                . "using CIRA.\",\"errorDescription\":\"guid : $g\"}", $path);
        }
    }
    $call->(400, POST => 'amt/certificates/1', { cert => '',
        isTrusted => $yes });
    $call->(400, POST => 'amt/certificates/1', { cert => 'AAAA',
        isTrusted => 'notbool' });

    is($t->post($login, json => { username => 'standalone',
        password => 'G@ppm0ym' })->{status}, 200, 'authorize');
    is($t->post($login, json => { password => 'G@ppm0ym' })->{status}, 400,
        'without user name');
    is($t->post($login, json => { username => 'standalone' })->{status}, 400,
        'without password');
    is($t->request('PUT', $login)->{status}, 404, 'PUT authorize');
    is($t->get($login)->{status}, 404, 'GET authorize');
    $call->(404, DELETE => 'devices');
    $call->(404, COPY => 'devices');
    $call->(404, PUT => 'amt/screen/1', {});
    $call->(404, DELETE => 'amt/certificates/1');
    # of the Console, which the UI hides when they are not there
    $call->(404, @$_) for ['GET', 'amt/diskInfo/1'],
        ['GET', 'amt/boot/remoteErase/1'], ['GET', 'amt/explorer'],
        ['GET', 'amt/explorer/1/x'], ['GET', 'amt/tls/1'],
        ['GET', 'devices/cert/1'], ['GET', 'amt/log/audit/1/download'],
        ['GET', 'amt/log/event/1/download'], ['GET', 'server/features'];
    $r = $t->get("$base/health");
    is($r->{status}, 200, 'health');
    is_deeply([$r->{json}{db}{status},
        @{$r->{json}{secretStore}{status}}{qw(initialized sealed)}],
        ['OK', $yes, $no], 'all is well');
    like($call->(200, GET => 'version')->{body},
        qr/^\{"serviceVersion":"2\.\d+\.\d+"\}$/, 'version');

    # what RPS, which has no tenant of its own, may ask
    is($t->get("$base/devices/$first?tenantId=123", key => $key{gateway})
        ->{status}, 204, "$base: another tenant's device");
    $t->finish;
}

collection(@$_) for @layouts;

# ---- examples, answered as printed ----

my ($t, $vault) = AMT::Api::start(http => 'amt_instance localhost;');
my $sim = AMT::Api::devices($t, guid => $first);
my %as = (key => $key{admin});

my $port = 'AMT_EthernetPortSettings';
$sim->set(0, "${port}.$_->[0]", $_->[1]) for ['MACAddress',
    'a4-bb-6d-89-52-e4'], ['IPAddress', '192.168.1.5'], ['DefaultGateway',
    '192.168.1.1'], ['PrimaryDNS', '192.168.1.1'], ['SecondaryDNS',
    '192.168.1.2'], ['PhysicalNicMedium', 0];
$sim->set(0, 'IPS_IEEE8021xSettings.AvailableInS0', 'true');
$sim->set(0, 'AMT_BootSettingData.UEFIHTTPSBootEnabled', 'false');
$sim->set(0, 'AMT_BootSettingData.WinREBootEnabled', 'false');
$sim->set(0, 'AMT_BootSettingData.UEFILocalPBABootEnabled', 'false');
$sim->set(0, 'audit-hex', '0010001302' . '5efa44dd' . '0200' . '0102');
$sim->set(0, 'event-hex', '6227b161' . 'ff0f6f026801ff0000'
    . '4012000000000000');

for my $l (@layouts) {
    my $amt = "$l->[0]/amt";

    is_answer($t->post("$amt/power/bootOptions/$first", %as, json => {}), 400,
        '{"errors":[{"type":"field","msg":"Invalid value","path":"action",'
        . '"location":"body"},{"type":"field","msg":"Invalid value","path":'
        . '"action","location":"body"},{"type":"field","msg":"Invalid value",'
        . '"path":"useSOL","location":"body"}]}', "$amt: validation");

    my $r = $t->post("$amt/power/action/$first", %as,
        json => { action => 8 });
    my $class = 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/'
        . 'CIM_PowerManagementService';
    like("$r->{status} $r->{body}", qr(^200\ \{"Header":\{"To":"http://schemas.
        xmlsoap.org/ws/2004/08/addressing/role/anonymous","RelatesTo":\d+,
        "Action":"$class/RequestPowerStateChangeResponse","MessageID":"uuid:
        00000000-8086-8086-8086-[0-9A-F]{11,12}","ResourceURI":"$class"\},
        "Body":\{"ReturnValue":0,"ReturnValueStr":"SUCCESS"\}\}$)x,
        'power action');
    ok($sim->wait_event('power', state => 8), 'is off');
    $t->post("$amt/power/action/$first", %as, json => { action => 2 });
    ok($sim->wait_event('power', state => 2), 'is on');
    $sim->mark;
    is_answer($t->post("$amt/power/action/$first", %as, json =>
        { action => 500 }), 200, '{"Body":{"ReturnValue":0,'
        . '"ReturnValueStr":"COMPLETED_WITH_NO_ERROR"}}', 'OS power');

    is_answer($t->get("$amt/features/$first", %as), 200,
        '{"userConsent":"none","redirection":true,"KVM":true,"SOL":true,'
        . '"IDER":true,"optInState":0,"kvmAvailable":true,"ocr":true,'
        . '"httpsBootSupported":false,"winREBootSupported":false,'
        . '"localPBABootSupported":false,"remoteErase":false}', 'features');

    is_answer($t->get("$amt/networkSettings/wired/$first", %as), 200,
        '{"elementName":"Intel(r) AMT Ethernet Port Settings","instanceID":'
        . '"Intel(r) AMT Ethernet Port Settings 0","vlanTag":0,"sharedMAC":'
        . 'true,"macAddress":"a4-bb-6d-89-52-e4","linkIsUp":true,'
        . '"linkPolicy":["S0 AC","Sx AC"],"sharedStaticIP":false,'
        . '"sharedDynamicIP":true,"ipSyncEnabled":true,"dhcpEnabled":true,'
        . '"ipAddress":"192.168.1.5","subnetMask":"255.255.255.0",'
        . '"defaultGateway":"192.168.1.1","primaryDNS":"192.168.1.1",'
        . '"secondaryDNS":"192.168.1.2","physicalConnectionType":'
        . '"Integrated LAN NIC","physicalNICMedium":"SMBUS","ieee8021x":'
        . '{"enabled":"Disabled","availableInS0":true,"pxeTimeout":120}}',
        'wired settings');

    $r = $t->get("$amt/log/audit/$first", %as);
    is($r->{body} =~ /\[(\{.*?\}),\{/ ? $1 : $r->{body},
        '{"AuditAppID":16,"EventID":19,"InitiatorType":2,"AuditApp":'
        . '"Security Admin","Event":"Unprovisioning Started","Initiator":'
        . '"Local","Time":"2020-06-29T19:45:33.000Z","MCLocationType":2,'
        . '"NetAddress":"","Ex":"\u0002","ExStr":"Local MEI"}',
        'audit record');

    $r = $t->get("$amt/log/event/$first", %as);
    is($r->{body} =~ /^\[(\{.*?\}),\{/ ? $1 : $r->{body},
        '{"DeviceAddress":255,"EventSensorType":15,"EventType":111,'
        . '"EventOffset":2,"EventSourceType":104,"EventSeverity":1,'
        . '"SensorNumber":255,"Entity":0,"EntityInstance":0,"EventData":'
        . '[64,18,0,0,0,0,0,0],"TimeStamp":"2021-12-08T21:45:06.000Z",'
        . '"EntityStr":"Unspecified","Desc":'
        . '"Calling operating system wake-up vector"}', 'event record');

    $t->post("$l->[0]/devices", %as, json => { guid => $first,
        tags => ['b', 'a'], mpsusername => 'admin', friendlyName =>
        'friendlyName', dnsSuffix => '' });
    $t->wait_for(sub { $t->get("$l->[0]/devices/$first", %as)->{json}
        {connectionStatus} });
    my $time = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
    like($t->get("$l->[0]/devices/$first", %as)->{body}, qr/^\{"guid":
        "$first","hostname":null,"tags":\["b","a"\],"mpsInstance":
        "localhost","connectionStatus":true,"mpsusername":"admin","tenantId":
        "","friendlyName":"friendlyName","dnsSuffix":"","lastConnected":
        "$time","lastSeen":(?:null|"$time"),"lastDisconnected":
        (?:null|"$time"),"deviceInfo":null\}$/x, 'device record');
}

# ---- defects of the original that must not be here ----

my $amt = '/api/v1/amt';
sub post { $t->post("$amt/$_[0]/$first", %as, json => $_[1]) }
sub while_it {
    my ($how, $ask) = @_;
    $sim->misbehave(0, $how);
    my $r = $ask->();
    $sim->misbehave(0, 'off');
    return $r;
}
sub settled { $t->wait_for(sub { $t->get("$amt/power/state/$first", %as)
    ->{json}{powerstate} == 2 }) }

# a process that dies of a login
is($t->post('/api/v1/authorize?username=standalone', json => { password =>
    'x' })->{status}, 400, 'user name in the query');
is($t->post('/api/v1/authorize?username=a&password=b')->{status}, 400,
    'both in the query');

# injection
my $evil = q(a</h:ElementName><x>&"');
$t->delete("$amt/alarmOccurrences/$first", %as, json => { Name => 'evil' });
is(post('alarmOccurrences', { ElementName => $evil, InstanceID => 'evil',
    StartTime => '2031-01-02T03:04:05Z' })->{json}{status}, 'SUCCESS',
    'alarm with markup in its name');
is((grep { $_->{InstanceID} eq 'evil' }
    @{$sim->instances(0, 'IPS_AlarmClockOccurrence')})[0]{ElementName}, $evil,
    'is that name');
is($t->delete("$amt/certificates/$first/%3C%2Fw%3ASelector%3E%26", %as)
    ->{status}, 404, 'certificate handle with markup');
is($t->put("$amt/kvm/displays/$first", %as, json => { displayIndex =>
    '0</h:DefaultScreen>' })->{status}, 400, 'display index with markup');

# faults and nonzero results that were successes
for my $c (
    ['at:AddAlarm,return=2', 400, sub { post('alarmOccurrences', {
        ElementName => 'x', StartTime => '2031-01-02T03:04:05Z' }) }],
    ['at:Put,fault', 400, sub { $t->put("$amt/kvm/displays/$first", %as,
        json => { displayIndex => 1 }) }],
    ['at:RequestStateChange,fault', 400, sub { post('features', {
        userConsent => 'none', enableSOL => $no, enableIDER => $no,
        enableKVM => $no }) }],
    ['at:Put,fault', 400, sub { post('power/bootOptions', { action => 400,
        useSOL => $no }) }],
    ['at:ChangeBootOrder,fault', 400, sub { post('power/bootOptions', {
        action => 400, useSOL => $no }) }],
    ['at:SetBootConfigRole,fault', 400, sub { post('power/bootOptions', {
        action => 400, useSOL => $no }) }],
    ['at:Unprovision,fault', 400, sub {
        $t->delete("$amt/deactivate/$first", %as) }])
{
    is(while_it($c->[0], $c->[2])->{status}, $c->[1], "$c->[0] is told");
}

# boot options that could not be asked for
for my $c ([{ action => 105, useSOL => $no }, 400, 'no boot details'],
    [{ action => 107, useSOL => $no, bootDetails => {} }, 400, 'no path'],
    [{ action => 105, useSOL => $no, bootDetails => { url => 'http://a.bc/'
        . 'x' x 300 } }, 400, 'URL is too long'],
    (map { [{ action => $_, useSOL => $no }, 400, "action $_"] } 104, 500,
        501))
{
    is(post('power/bootOptions', $c->[0])->{status}, $c->[1], $c->[2]);
}
sub last_boot { $sim->state(0)->{last_boot} || {} }
settled();
is(post('power/bootOptions', { action => '400', useSOL => 'false' })
    ->{json}{Body}{ReturnValue}, 0, 'action as text');
ok($t->wait_for(sub { JSON::PP->new->canonical->encode(last_boot())
    =~ /Force PXE Boot/ }), 'boots from PXE') or diag explain last_boot();
settled();
$sim->add(0, 'CIM_BootSourceSetting', 'InstanceID=Intel(r) AMT: Force '
    . 'Diagnostic Boot|ElementName=Intel(r) AMT: Boot Source');
my $r = post('power/bootOptions', { action => 301, useSOL => $no });
is($r->{json}{Body}{ReturnValue}, 0, 'diagnostic') or diag $r->{body};
ok($t->wait_for(sub { JSON::PP->new->canonical->encode(last_boot())
    =~ /Force Diagnostic Boot/ }), 'boots it') or diag explain last_boot();
settled();
$sim->set(0, 'AMT_BootSettingData.UEFIHTTPSBootEnabled', 'true');
$r = post('power/bootOptions', { action => 105, useSOL => $no,
    bootDetails => { url => 'https://10.1.1.1/boot.efi', username => 'u',
    password => 'p' } });
is($r->{status}, 200, 'HTTPS boot with credentials') or diag $r->{body};
settled();

# actions that were never sent
for my $n (15, 16, 17) {
    $sim->mark;
    post('power/action', { action => $n });
    ok($sim->wait_event('method', method => 'RequestPowerStateChange'),
        "action $n is sent");
    settled();
}

# text forms
$sim->set(0, 'AMT_EthernetPortSettings.ElementName', '0123');
is($t->get("$amt/networkSettings/wired/$first", %as)->{json}{elementName},
    '0123', 'digits stay text');
is($t->get('/api/v1/authorize/redirection/' . uc $first, %as)->{status}, 200,
    'GUID in upper case');

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();

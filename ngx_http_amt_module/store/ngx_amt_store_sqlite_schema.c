
/*
 * Tables and statements of the store in SQLite.  Column names as contract
 * mps.md section 3.1; times are ms since 1970.
 *
 * A migration that was released is never changed: append another one.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "store/ngx_amt_store_sqlite.h"


static const char *const  ngx_amt_store_migrations[] = {

    /*
     * generation: events of older connections do not change the row.  It is
     * one more than that of a connection that has ended, so that the end of a
     * connection and what is late from it cannot be mixed up.
     *
     * tenants and device_tags follow devices by triggers.
     */

    "CREATE TABLE devices ("
    "    id INTEGER PRIMARY KEY,"
    "    guid TEXT NOT NULL UNIQUE,"
    "    tenantid TEXT NOT NULL,"
    "    tags TEXT NOT NULL DEFAULT '[]',"
    "    hostname TEXT,"
    "    mpsinstance TEXT,"
    "    connectionstatus INTEGER NOT NULL DEFAULT 0"
    "        CHECK (connectionstatus IN (0, 1)),"
    "    mpsusername TEXT,"
    "    friendlyname TEXT,"
    "    dnssuffix TEXT,"
    "    lastconnected INTEGER,"
    "    lastseen INTEGER,"
    "    lastdisconnected INTEGER,"
    "    deviceinfo TEXT,"
    "    generation INTEGER NOT NULL DEFAULT 0,"
    "    version INTEGER NOT NULL DEFAULT 1"
    ") STRICT;"

    "CREATE INDEX devices_tenant ON devices (tenantid, guid);"
    "CREATE INDEX devices_hostname ON devices (tenantid, hostname)"
    "    WHERE hostname IS NOT NULL;"
    "CREATE INDEX devices_friendlyname ON devices (tenantid, friendlyname)"
    "    WHERE friendlyname IS NOT NULL;"
    "CREATE INDEX devices_connected ON devices (mpsinstance)"
    "    WHERE connectionstatus = 1;"

    "CREATE TABLE tenants ("
    "    tenantid TEXT NOT NULL PRIMARY KEY,"
    "    total INTEGER NOT NULL,"
    "    connected INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE device_tags ("
    "    tenantid TEXT NOT NULL,"
    "    tag TEXT NOT NULL,"
    "    guid TEXT NOT NULL,"
    "    PRIMARY KEY (tenantid, tag, guid)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TRIGGER devices_insert AFTER INSERT ON devices BEGIN"
    "    INSERT INTO tenants (tenantid, total, connected)"
    "        VALUES (NEW.tenantid, 1, NEW.connectionstatus)"
    "        ON CONFLICT (tenantid) DO UPDATE SET total = total + 1,"
    "            connected = connected + NEW.connectionstatus;"
    "    INSERT INTO device_tags (tenantid, tag, guid)"
    "        SELECT NEW.tenantid, value, NEW.guid FROM json_each(NEW.tags)"
    "        WHERE type = 'text' ON CONFLICT DO NOTHING;"
    "END;"

    "CREATE TRIGGER devices_delete AFTER DELETE ON devices BEGIN"
    "    UPDATE tenants SET total = total - 1,"
    "        connected = connected - OLD.connectionstatus"
    "        WHERE tenantid = OLD.tenantid;"
    "    DELETE FROM tenants WHERE tenantid = OLD.tenantid AND total = 0;"
    "    DELETE FROM device_tags WHERE tenantid = OLD.tenantid"
    "        AND guid = OLD.guid"
    "        AND tag IN (SELECT value FROM json_each(OLD.tags));"
    "END;"

    "CREATE TRIGGER devices_connection"
    "    AFTER UPDATE OF connectionstatus ON devices"
    "    WHEN OLD.connectionstatus <> NEW.connectionstatus BEGIN"
    "    UPDATE tenants SET"
    "        connected = connected + NEW.connectionstatus"
    "                    - OLD.connectionstatus"
    "        WHERE tenantid = NEW.tenantid;"
    "END;"

    "CREATE TRIGGER devices_tags AFTER UPDATE OF tags ON devices"
    "    WHEN OLD.tags <> NEW.tags BEGIN"
    "    DELETE FROM device_tags WHERE tenantid = OLD.tenantid"
    "        AND guid = OLD.guid"
    "        AND tag IN (SELECT value FROM json_each(OLD.tags));"
    "    INSERT INTO device_tags (tenantid, tag, guid)"
    "        SELECT NEW.tenantid, value, NEW.guid FROM json_each(NEW.tags)"
    "        WHERE type = 'text' ON CONFLICT DO NOTHING;"
    "END;"

    "CREATE TRIGGER devices_identity"
    "    BEFORE UPDATE OF guid, tenantid ON devices"
    "    WHEN OLD.guid <> NEW.guid OR OLD.tenantid <> NEW.tenantid BEGIN"
    "    SELECT RAISE(ABORT, 'guid and tenantid of a device are fixed');"
    "END;"
};


static const char *const  ngx_amt_store_statements[] = {

    "SELECT " NGX_AMT_STORE_COLUMNS " FROM devices WHERE guid = ?1",

    "SELECT " NGX_AMT_STORE_COLUMNS " FROM devices WHERE tenantid = ?1"
    " ORDER BY guid LIMIT ?2 OFFSET ?3",

    "SELECT " NGX_AMT_STORE_COLUMNS " FROM devices WHERE tenantid = ?1"
    " AND hostname = ?2",

    "SELECT " NGX_AMT_STORE_COLUMNS " FROM devices WHERE tenantid = ?1"
    " AND friendlyname = ?2",

    /* paging touches the index only */

    "SELECT " NGX_AMT_STORE_COLUMNS " FROM devices WHERE guid IN"
    " (SELECT guid FROM device_tags WHERE tenantid = ?1 AND tag = ?4"
    " ORDER BY guid LIMIT ?2 OFFSET ?3) ORDER BY guid",

    "SELECT total, connected FROM tenants WHERE tenantid = ?1",

    /* from one tag to the next, over the index */

    "WITH RECURSIVE t (tag) AS ("
    " SELECT (SELECT min(tag) FROM device_tags WHERE tenantid = ?1)"
    " UNION ALL SELECT (SELECT min(d.tag) FROM device_tags d"
    " WHERE d.tenantid = ?1 AND d.tag > t.tag) FROM t WHERE t.tag IS NOT NULL)"
    " SELECT tag FROM t WHERE tag IS NOT NULL",

    "SELECT total FROM tenants LIMIT 1",

    "INSERT INTO devices (guid, tenantid, hostname, tags, mpsusername,"
    " friendlyname, dnssuffix, deviceinfo)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    " RETURNING " NGX_AMT_STORE_COLUMNS,

    "UPDATE devices SET"
    " hostname = iif(?9 & 0x01, ?3, hostname),"
    " tags = iif(?9 & 0x02, ?4, tags),"
    " mpsusername = iif(?9 & 0x04, ?5, mpsusername),"
    " friendlyname = iif(?9 & 0x08, ?6, friendlyname),"
    " dnssuffix = iif(?9 & 0x10, ?7, dnssuffix),"
    " deviceinfo = iif(?9 & 0x20, ?8, deviceinfo),"
    " version = version + 1"
    " WHERE guid = ?1 AND tenantid = ?2"
    " RETURNING " NGX_AMT_STORE_COLUMNS,

    "DELETE FROM devices WHERE guid = ?1 AND tenantid = ?2",

    "UPDATE devices SET connectionstatus = 1, mpsinstance = ?2,"
    " lastconnected = ?3, generation = ?4"
    " WHERE guid = ?1 AND generation <= ?4",

    "UPDATE devices SET connectionstatus = 0, mpsinstance = NULL,"
    " lastdisconnected = ?3, generation = ?4 + 1"
    " WHERE guid = ?1 AND generation <= ?4",

    "UPDATE devices SET connectionstatus = 1, mpsinstance = ?2,"
    " lastseen = ?3, generation = ?4"
    " WHERE guid = ?1 AND generation <= ?4",

    "SELECT guid FROM devices WHERE mpsinstance = ?1"
    " AND connectionstatus = 1",

    "UPDATE devices SET connectionstatus = 0, mpsinstance = NULL"
    " WHERE guid = ?1"
};


const ngx_amt_sqlite_schema_t  ngx_amt_store_schema = {
    "store",
    0x414d5453,                                  /* "AMTS" */
    ngx_amt_store_migrations,
    sizeof(ngx_amt_store_migrations) / sizeof(char *),
    ngx_amt_store_statements,
    sizeof(ngx_amt_store_statements) / sizeof(char *)
};

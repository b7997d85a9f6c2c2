"""What is known of functions whose source cannot be read, or need not be.

Written by hand from CPython's documentation and source. A module in `QUIET` is spoken for by this
table alone: what is not listed raises nothing that is modelled. `[tool.resultflow] raises` adds to
it. What is not modelled at all is named in docs/explanation/failures-and-bugs.md: a `TypeError`
for a wrong argument, a `KeyError` of a subscript, a `MemoryError` anywhere.
"""

from __future__ import annotations

import builtins

__all__ = [
    "ALIASES",
    "BASES",
    "CALLED",
    "COMMON",
    "ENTERED",
    "GIVEN",
    "KNOWN",
    "LENIENT",
    "QUIET",
    "RERAISING",
    "RETURNS",
    "SUPPRESSING",
    "TRANSPARENT",
    "USED",
]


def _rows(text: str) -> dict[str, tuple[str, ...]]:
    """Read rows of names, a colon, and exceptions."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.strip().splitlines():
        names, _, raised = line.partition(":")
        exceptions = tuple(_full(one) for one in raised.split())
        prefix = ""
        for name in names.split():
            if name.endswith("."):
                prefix = name
            else:
                found[prefix + name] = exceptions
    return found


def _full(name: str) -> str:
    return name if "." in name else f"builtins.{name}"


# A row: a prefix that ends in a dot, the names below it, and what they raise.
KNOWN: dict[str, tuple[str, ...]] = _rows("""
builtins. open: OSError ValueError
builtins. input: EOFError
builtins. int float complex chr: ValueError
builtins. pow divmod: ZeroDivisionError
builtins. eval exec: SyntaxError
builtins. compile: SyntaxError ValueError
builtins. next: StopIteration
builtins. __import__: ImportError
builtins. exit quit: SystemExit
builtins.int. from_bytes: OverflowError
builtins.int. to_bytes: OverflowError
builtins.bytes. fromhex: ValueError
builtins.bytes. decode: UnicodeDecodeError
builtins.bytearray. decode: UnicodeDecodeError
builtins.str. encode: UnicodeEncodeError
builtins.str. index rindex: ValueError
builtins.list. index remove: ValueError
builtins.list. pop: IndexError
builtins.tuple. index: ValueError
builtins.dict. popitem: KeyError
builtins.set. remove pop: KeyError
builtins.float. fromhex: ValueError
io.TextIOBase. read readline readlines: OSError ValueError UnicodeDecodeError
io.TextIOBase. write writelines: OSError ValueError UnicodeEncodeError
io.TextIOBase. flush close seek tell truncate fileno __next__ __exit__: OSError ValueError
io.IOBase. read readline readlines readinto write writelines flush: OSError ValueError
io.IOBase. close seek tell truncate fileno __next__ __exit__: OSError ValueError
io. open open_code: OSError ValueError
os. open read write close lseek fsync fdatasync ftruncate truncate dup dup2 pipe: OSError
os. stat lstat fstat access chmod chown lchown link symlink readlink unlink remove rmdir: OSError
os. mkdir makedirs removedirs rename renames replace listdir scandir utime chdir: OSError
os. fchdir getcwd statvfs mkfifo mknod chroot fchmod fchown sendfile pread pwrite: OSError
os. kill killpg fork forkpty wait waitpid wait3 wait4 setsid setpgid getpgid nice: OSError
os. setuid setgid seteuid setegid setgroups initgroups getgroups getsid pidfd_open: OSError
os. execv execve execvp execvpe execl execle execlp execlpe posix_spawn posix_spawnp: OSError
os. getlogin ttyname tcgetpgrp tcsetpgrp openpty get_terminal_size getxattr setxattr: OSError
os. popen: OSError
os. putenv setenv: OSError
os.path. getsize getmtime getatime getctime samefile: OSError
os.path. realpath: OSError
pathlib.Path. stat lstat open chmod mkdir rename replace rmdir unlink touch symlink_to: OSError
pathlib.Path. hardlink_to readlink iterdir owner group samefile link_to cwd home: OSError
pathlib.Path. read_bytes write_bytes: OSError
pathlib.Path. read_text: OSError UnicodeDecodeError
pathlib.Path. write_text: OSError UnicodeEncodeError
pathlib.Path. resolve: OSError RuntimeError
pathlib.Path. expanduser: RuntimeError
pathlib.Path. relative_to with_name with_suffix with_stem: ValueError
pathlib.PurePath. relative_to with_name with_suffix with_stem: ValueError
shutil. copy copy2 copyfile copymode copystat move chown: OSError
shutil. copytree: OSError shutil.Error
shutil. rmtree disk_usage: OSError
shutil. make_archive unpack_archive: OSError shutil.ReadError ValueError
tempfile. mkdtemp mkstemp TemporaryFile NamedTemporaryFile TemporaryDirectory: OSError
tempfile. gettempdir: OSError
tempfile.TemporaryDirectory. cleanup __exit__: OSError
fcntl. fcntl flock ioctl lockf: OSError
mmap. mmap: OSError ValueError
socket. socket create_connection create_server socketpair fromfd if_nameindex: OSError
socket. gethostbyname gethostbyname_ex gethostbyaddr getnameinfo: OSError
socket. getaddrinfo: socket.gaierror
socket. gethostname getfqdn: OSError
socket. inet_aton inet_pton inet_ntop: OSError
socket.socket. bind connect listen accept send sendall sendto sendfile sendmsg recv: OSError
socket.socket. recvfrom recv_into recvmsg shutdown close getpeername getsockname: OSError
socket.socket. setsockopt getsockopt setblocking makefile detach ioctl connect_ex: OSError
socket.socket. settimeout: ValueError
select. select poll epoll kqueue: OSError
selectors.BaseSelector. select register unregister: OSError KeyError ValueError
ssl. create_default_context: OSError
ssl. get_server_certificate: OSError
ssl.SSLContext. load_cert_chain load_verify_locations load_default_certs: OSError
ssl.SSLContext. wrap_socket: OSError
ssl.SSLSocket. do_handshake read write recv send unwrap: OSError
subprocess. run: OSError subprocess.TimeoutExpired subprocess.CalledProcessError ValueError
subprocess. call: OSError subprocess.TimeoutExpired ValueError
subprocess. check_call: OSError subprocess.CalledProcessError subprocess.TimeoutExpired ValueError
subprocess. check_output: OSError subprocess.CalledProcessError subprocess.TimeoutExpired ValueError
subprocess. getoutput getstatusoutput: OSError
subprocess. Popen: OSError ValueError
subprocess.Popen. communicate: OSError subprocess.TimeoutExpired ValueError
subprocess.Popen. wait: subprocess.TimeoutExpired
subprocess.Popen. send_signal terminate kill: OSError
subprocess.CompletedProcess. check_returncode: subprocess.CalledProcessError
multiprocessing. Pool: OSError
multiprocessing.Process. start: OSError
multiprocessing.Process. join terminate kill is_alive close: ValueError
multiprocessing.process.BaseProcess. start: OSError
multiprocessing.process.BaseProcess. terminate kill: OSError
threading.Thread. start: RuntimeError
threading.Lock. release: RuntimeError
threading.Barrier. wait: threading.BrokenBarrierError
queue.Queue. get: queue.Empty
queue.Queue. get_nowait: queue.Empty
queue.Queue. put put_nowait: queue.Full
signal. signal: ValueError OSError
signal. setitimer: OSError
concurrent.futures.Future. result exception: TimeoutError concurrent.futures.CancelledError
concurrent.futures.Executor. submit: RuntimeError
sqlite3. connect: sqlite3.OperationalError sqlite3.DatabaseError
sqlite3.Connection. execute executemany: sqlite3.OperationalError sqlite3.IntegrityError sqlite3.ProgrammingError sqlite3.DatabaseError sqlite3.InterfaceError
sqlite3.Connection. executescript: sqlite3.OperationalError sqlite3.DatabaseError
sqlite3.Connection. commit rollback close backup __exit__: sqlite3.OperationalError sqlite3.ProgrammingError
sqlite3.Connection. cursor: sqlite3.ProgrammingError
sqlite3.Cursor. execute executemany: sqlite3.OperationalError sqlite3.IntegrityError sqlite3.ProgrammingError sqlite3.DatabaseError sqlite3.InterfaceError
sqlite3.Cursor. executescript fetchone fetchmany fetchall __next__: sqlite3.OperationalError sqlite3.DatabaseError
dbm. open: OSError
json. load: json.decoder.JSONDecodeError UnicodeDecodeError OSError
json. loads: json.decoder.JSONDecodeError
json. dump: ValueError OSError
json. dumps: ValueError
json.decoder.JSONDecoder. decode raw_decode: json.decoder.JSONDecodeError
json.encoder.JSONEncoder. encode iterencode: ValueError
pickle. load: pickle.UnpicklingError EOFError OSError
pickle. loads: pickle.UnpicklingError EOFError
pickle. dump: pickle.PicklingError OSError
pickle. dumps: pickle.PicklingError
marshal. load loads: EOFError ValueError
struct. pack pack_into unpack unpack_from calcsize iter_unpack Struct: struct.error
struct.Struct. pack pack_into unpack unpack_from iter_unpack: struct.error
csv. reader writer DictReader DictWriter: csv.Error
csv.Sniffer. sniff has_header: csv.Error
tomllib. load: tomllib.TOMLDecodeError OSError
tomllib. loads: tomllib.TOMLDecodeError
configparser.RawConfigParser. read: configparser.Error UnicodeDecodeError
configparser.RawConfigParser. read_file read_string read_dict: configparser.Error
configparser.RawConfigParser. get: configparser.NoOptionError configparser.NoSectionError configparser.InterpolationError
configparser.RawConfigParser. getint getfloat getboolean: configparser.NoOptionError configparser.NoSectionError ValueError
configparser.RawConfigParser. set options items: configparser.NoSectionError
configparser.RawConfigParser. add_section: configparser.DuplicateSectionError
configparser.RawConfigParser. write: OSError
zlib. compress decompress: zlib.error
zlib.decompressobj. decompress flush: zlib.error
gzip. open: OSError
gzip. decompress: OSError EOFError zlib.error
gzip.GzipFile. read: OSError EOFError zlib.error
bz2. decompress open: OSError ValueError
lzma. decompress open: lzma.LZMAError OSError
zipfile. ZipFile: OSError zipfile.BadZipFile
zipfile.ZipFile. open read extract extractall: OSError zipfile.BadZipFile KeyError RuntimeError
zipfile.ZipFile. write writestr close: OSError ValueError
tarfile. open: OSError tarfile.ReadError tarfile.CompressionError
tarfile.TarFile. extract extractall extractfile add addfile: OSError tarfile.TarError
base64. b64decode standard_b64decode urlsafe_b64decode b32decode b16decode a85decode b85decode: binascii.Error
binascii. unhexlify a2b_hex a2b_base64 a2b_uu: binascii.Error
urllib.request. urlopen urlretrieve: urllib.error.URLError OSError ValueError
urllib.request.OpenerDirector. open: urllib.error.URLError OSError
urllib.parse. urlsplit urlparse: ValueError
http.client.HTTPConnection. connect request send endheaders putrequest: OSError http.client.HTTPException
http.client.HTTPConnection. getresponse: OSError http.client.HTTPException
http.client.HTTPResponse. read: OSError http.client.IncompleteRead
smtplib. SMTP SMTP_SSL: OSError smtplib.SMTPException
smtplib.SMTP. login sendmail send_message quit starttls connect: OSError smtplib.SMTPException
ftplib. FTP FTP_TLS: OSError ftplib.Error
imaplib. IMAP4 IMAP4_SSL: OSError imaplib.IMAP4.error
xml.etree.ElementTree. parse: xml.etree.ElementTree.ParseError OSError
xml.etree.ElementTree. fromstring XML: xml.etree.ElementTree.ParseError
datetime.datetime. strptime fromisoformat: ValueError
datetime.datetime. fromtimestamp utcfromtimestamp: ValueError OverflowError OSError
datetime.date. fromisoformat fromtimestamp: ValueError
datetime.time. fromisoformat: ValueError
datetime. datetime date time timedelta timezone: ValueError OverflowError
datetime.datetime. replace combine: ValueError
time. strptime mktime: ValueError OverflowError
time. sleep: ValueError
decimal. Decimal: decimal.InvalidOperation
fractions. Fraction: ValueError ZeroDivisionError
uuid. UUID: ValueError
ipaddress. ip_address ip_network ip_interface IPv4Address IPv6Address IPv4Network IPv6Network: ValueError
re. compile match search fullmatch sub subn split findall finditer: re.error
ast. parse literal_eval: SyntaxError ValueError
math. sqrt log log2 log10 acos asin factorial: ValueError
math. exp pow fsum ldexp: OverflowError ValueError
unicodedata. name lookup: ValueError KeyError
unicodedata. decimal digit numeric: ValueError
codecs. lookup: LookupError
codecs. decode: LookupError UnicodeDecodeError
codecs. encode: LookupError UnicodeEncodeError
codecs. open: OSError LookupError
importlib. import_module reload: ImportError
importlib.metadata. version metadata distribution: importlib.metadata.PackageNotFoundError
zoneinfo. ZoneInfo: zoneinfo._common.ZoneInfoNotFoundError ValueError
locale. setlocale: locale.Error
getpass. getuser: OSError
getpass. getpass: EOFError
pwd. getpwnam getpwuid: KeyError
grp. getgrnam getgrgid: KeyError
shlex. split: ValueError
string.Formatter. format vformat: ValueError KeyError IndexError
logging.config. fileConfig dictConfig: ValueError
sys. exit: SystemExit
argparse.ArgumentParser. parse_args parse_known_args error exit: SystemExit
resource. setrlimit getrlimit: ValueError OSError
ctypes. CDLL: OSError
termios. tcgetattr tcsetattr: termios.error
curses. initscr: curses.error
asyncio. wait_for timeout: TimeoutError
asyncio. run: RuntimeError
asyncio. open_connection start_server open_unix_connection create_subprocess_exec create_subprocess_shell: OSError
asyncio.StreamReader. read readline readexactly readuntil: OSError asyncio.IncompleteReadError
asyncio.StreamWriter. drain: OSError
asyncio.Queue. get_nowait: asyncio.QueueEmpty
asyncio.Queue. put_nowait: asyncio.QueueFull
random. choice randrange randint sample: ValueError IndexError
statistics. mean median mode stdev variance: statistics.StatisticsError
graphlib.TopologicalSorter. prepare static_order: graphlib.CycleError
psycopg2. connect _connect: psycopg2.OperationalError
psycopg2._psycopg. _connect: psycopg2.OperationalError
psycopg2.extensions.connection. commit rollback close cursor: psycopg2.OperationalError psycopg2.InterfaceError
psycopg2.extensions.cursor. execute executemany callproc: psycopg2.OperationalError psycopg2.ProgrammingError psycopg2.IntegrityError psycopg2.DataError psycopg2.InterfaceError
psycopg2.extensions.cursor. fetchone fetchmany fetchall: psycopg2.ProgrammingError psycopg2.OperationalError
psycopg.Connection. connect: psycopg.OperationalError
psycopg.Connection. commit rollback: psycopg.OperationalError
psycopg.Connection. execute: psycopg.OperationalError psycopg.ProgrammingError psycopg.IntegrityError psycopg.DataError
psycopg.Cursor. execute executemany: psycopg.OperationalError psycopg.ProgrammingError psycopg.IntegrityError psycopg.DataError
sqlalchemy.engine.base.Connection. _handle_dbapi_exception: sqlalchemy.exc.OperationalError sqlalchemy.exc.IntegrityError sqlalchemy.exc.ProgrammingError sqlalchemy.exc.DataError sqlalchemy.exc.InterfaceError sqlalchemy.exc.InternalError sqlalchemy.exc.NotSupportedError sqlalchemy.exc.DatabaseError sqlalchemy.exc.StatementError
sqlalchemy.engine.base.Connection. _handle_dbapi_exception_noconnection: sqlalchemy.exc.OperationalError sqlalchemy.exc.InterfaceError sqlalchemy.exc.DatabaseError
sqlalchemy.engine.base.Engine. connect raw_connection: sqlalchemy.exc.OperationalError sqlalchemy.exc.InterfaceError sqlalchemy.exc.TimeoutError
resultflow. run entrypoint: SystemExit
resultflow.process_edge. run entrypoint: SystemExit
""")

# Modules that the table speaks for: what is not listed raises nothing that is modelled.
QUIET = frozenset(
    """
    __future__ _thread abc argparse array ast asyncio atexit base64 binascii bisect bz2 builtins
    calendar cmath codecs collections colorsys concurrent configparser contextlib contextvars copy
    copyreg csv ctypes curses datetime dbm decimal difflib dis email enum errno faulthandler fcntl
    fnmatch fractions ftplib functools gc getpass gettext glob graphlib grp gzip hashlib heapq
    hmac html http imaplib importlib inspect io ipaddress itertools json keyword linecache locale
    logging lzma marshal math mimetypes mmap multiprocessing numbers operator os pathlib pickle
    pkgutil platform posixpath pprint pwd queue random re readline reprlib resource sched secrets
    select selectors shlex shutil signal site smtplib socket sqlite3 ssl stat statistics string
    stringprep struct subprocess symtable sys sysconfig syslog tarfile tempfile termios textwrap
    threading time token tokenize tomllib traceback tracemalloc tty types typing typing_extensions
    unicodedata unittest urllib uuid warnings weakref xml zipfile zipimport zlib zoneinfo
    attr attrs
    """.split()
)

# Where compiled code has its classes, and what names are others' names.
ALIASES = {
    "socket.error": "builtins.OSError",
    "socket.timeout": "builtins.TimeoutError",
    "select.error": "builtins.OSError",
    "os.error": "builtins.OSError",
    "builtins.IOError": "builtins.OSError",
    "builtins.EnvironmentError": "builtins.OSError",
    "asyncio.TimeoutError": "builtins.TimeoutError",
    "asyncio.exceptions.TimeoutError": "builtins.TimeoutError",
    "concurrent.futures.TimeoutError": "builtins.TimeoutError",
    "asyncio.CancelledError": "asyncio.exceptions.CancelledError",
    "asyncio.IncompleteReadError": "asyncio.exceptions.IncompleteReadError",
    "asyncio.QueueEmpty": "asyncio.queues.QueueEmpty",
    "asyncio.QueueFull": "asyncio.queues.QueueFull",
    "json.JSONDecodeError": "json.decoder.JSONDecodeError",
    "json.JSONDecoder": "json.decoder.JSONDecoder",
    "json.JSONEncoder": "json.encoder.JSONEncoder",
    "zoneinfo.ZoneInfoNotFoundError": "zoneinfo._common.ZoneInfoNotFoundError",
    "multiprocessing.Process": "multiprocessing.process.BaseProcess",
    "multiprocessing.context.Process": "multiprocessing.process.BaseProcess",
    "concurrent.futures._base.CancelledError": "concurrent.futures.CancelledError",
    "re.PatternError": "re.error",
    "ssl.socket_error": "builtins.OSError",
    "psycopg2._psycopg.connection": "psycopg2.extensions.connection",
    "psycopg2._psycopg.cursor": "psycopg2.extensions.cursor",
    **{
        f"{module}.{name}": f"psycopg2.{name}"
        for module in ("psycopg2._psycopg", "psycopg2.extensions")
        for name in (
            "Error Warning InterfaceError DatabaseError InternalError OperationalError "
            "ProgrammingError IntegrityError DataError NotSupportedError"
        ).split()
    },
}

_EXCEPTIONS = {
    f"builtins.{name}": tuple(f"builtins.{base.__name__}" for base in kind.__bases__)
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and kind.__name__ == name
}

# Classes without source, or whose module the table speaks for.
BASES: dict[str, tuple[str, ...]] = {
    **_EXCEPTIONS,
    **_rows("""
socket. gaierror herror: OSError
ssl. SSLError: OSError
ssl. SSLZeroReturnError SSLWantReadError SSLWantWriteError SSLSyscallError SSLEOFError: ssl.SSLError
ssl. SSLCertVerificationError: ssl.SSLError ValueError
ssl. SSLSocket: socket.socket
shutil. Error SpecialFileError ExecError: OSError
shutil. ReadError: OSError
shutil. RegistryError: Exception
subprocess. SubprocessError: Exception
subprocess. CalledProcessError TimeoutExpired: subprocess.SubprocessError
threading. BrokenBarrierError: RuntimeError
queue. Empty Full: Exception
concurrent.futures. CancelledError: concurrent.futures.Error
concurrent.futures. Error: Exception
concurrent.futures. BrokenExecutor: RuntimeError
concurrent.futures. InvalidStateError: concurrent.futures.Error
concurrent.futures.process. BrokenProcessPool: concurrent.futures.BrokenExecutor
concurrent.futures. ThreadPoolExecutor ProcessPoolExecutor: concurrent.futures.Executor
multiprocessing. ProcessError: Exception
multiprocessing. BufferTooShort AuthenticationError TimeoutError: multiprocessing.ProcessError
sqlite3. Error Warning: Exception
sqlite3. InterfaceError DatabaseError: sqlite3.Error
sqlite3. OperationalError IntegrityError ProgrammingError InternalError DataError NotSupportedError: sqlite3.DatabaseError
json.decoder. JSONDecodeError: ValueError
pickle. PickleError: Exception
pickle. PicklingError UnpicklingError: pickle.PickleError
struct. error: Exception
csv. Error: Exception
tomllib. TOMLDecodeError: ValueError
configparser. Error: Exception
configparser. NoSectionError DuplicateSectionError DuplicateOptionError NoOptionError InterpolationError ParsingError: configparser.Error
configparser. InterpolationMissingOptionError InterpolationSyntaxError InterpolationDepthError: configparser.InterpolationError
configparser. MissingSectionHeaderError: configparser.ParsingError
configparser. ConfigParser: configparser.RawConfigParser
zlib. error: Exception
lzma. LZMAError: Exception
zipfile. BadZipFile LargeZipFile: Exception
tarfile. TarError: Exception
tarfile. ReadError CompressionError StreamError ExtractError HeaderError: tarfile.TarError
binascii. Error: ValueError
binascii. Incomplete: Exception
urllib.error. URLError: OSError
urllib.error. HTTPError: urllib.error.URLError
urllib.error. ContentTooShortError: urllib.error.URLError
http.client. HTTPException: Exception
http.client. NotConnected InvalidURL UnknownProtocol IncompleteRead ImproperConnectionState BadStatusLine LineTooLong: http.client.HTTPException
http.client. RemoteDisconnected: ConnectionResetError http.client.BadStatusLine
http.client. HTTPSConnection: http.client.HTTPConnection
smtplib. SMTPException: OSError
smtplib. SMTPServerDisconnected SMTPResponseException SMTPRecipientsRefused SMTPNotSupportedError: smtplib.SMTPException
smtplib. SMTPConnectError SMTPHeloError SMTPAuthenticationError SMTPDataError SMTPSenderRefused: smtplib.SMTPResponseException
smtplib. SMTP_SSL: smtplib.SMTP
ftplib. Error: Exception
imaplib.IMAP4. error: Exception
xml.etree.ElementTree. ParseError: SyntaxError
xml.parsers.expat. ExpatError: Exception
decimal. DecimalException: ArithmeticError
decimal. InvalidOperation: decimal.DecimalException
decimal. DivisionByZero: decimal.DecimalException ZeroDivisionError
re. error: Exception
importlib.metadata. PackageNotFoundError: ModuleNotFoundError
zoneinfo._common. ZoneInfoNotFoundError: KeyError
locale. Error: Exception
argparse. ArgumentError ArgumentTypeError: Exception
termios. error: Exception
curses. error: Exception
statistics. StatisticsError: ValueError
graphlib. CycleError: ValueError
asyncio.exceptions. CancelledError: BaseException
asyncio.exceptions. IncompleteReadError: EOFError
asyncio.exceptions. InvalidStateError LimitOverrunError: Exception
asyncio.exceptions. BrokenBarrierError: RuntimeError
asyncio.queues. QueueEmpty QueueFull: Exception
dataclasses. FrozenInstanceError: AttributeError
io. UnsupportedOperation: OSError ValueError
io. TextIOBase RawIOBase BufferedIOBase: io.IOBase
io. StringIO TextIOWrapper: io.TextIOBase
io. FileIO: io.RawIOBase
io. BytesIO BufferedReader BufferedWriter BufferedRandom: io.BufferedIOBase
pathlib. PurePath: object
pathlib. Path PosixPath WindowsPath: pathlib.PurePath
pathlib. PosixPath: pathlib.Path
pathlib. PurePosixPath PureWindowsPath: pathlib.PurePath
datetime. datetime: datetime.date
queue. LifoQueue PriorityQueue: queue.Queue
selectors. DefaultSelector SelectSelector PollSelector EpollSelector: selectors.BaseSelector
multiprocessing.process. BaseProcess: object
collections. OrderedDict defaultdict Counter: dict
unittest. SkipTest: Exception
psycopg2. Error: Exception
psycopg2. Warning: Exception
psycopg2. InterfaceError DatabaseError: psycopg2.Error
psycopg2. OperationalError IntegrityError ProgrammingError InternalError DataError NotSupportedError: psycopg2.DatabaseError
"""),
}

# What is given back, where it is not an instance of the class that was called.
RETURNS = {
    "builtins.open": "io.TextIOBase",
    "io.open": "io.TextIOBase",
    "os.fdopen": "io.TextIOBase",
    "pathlib.Path.open": "io.TextIOBase",
    "pathlib.Path.resolve": "pathlib.Path",
    "pathlib.Path.absolute": "pathlib.Path",
    "pathlib.Path.expanduser": "pathlib.Path",
    "pathlib.Path.cwd": "pathlib.Path",
    "pathlib.Path.home": "pathlib.Path",
    "pathlib.Path.with_suffix": "pathlib.Path",
    "pathlib.Path.with_name": "pathlib.Path",
    "pathlib.PurePath.joinpath": "pathlib.Path",
    "pathlib.Path.joinpath": "pathlib.Path",
    "pathlib.Path.__truediv__": "pathlib.Path",
    "pathlib.PurePath.__truediv__": "pathlib.Path",
    "pathlib.Path.read_text": "builtins.str",
    "pathlib.Path.read_bytes": "builtins.bytes",
    "sqlite3.connect": "sqlite3.Connection",
    "sqlite3.Connection.cursor": "sqlite3.Cursor",
    "sqlite3.Connection.execute": "sqlite3.Cursor",
    "socket.create_connection": "socket.socket",
    "socket.create_server": "socket.socket",
    "subprocess.run": "subprocess.CompletedProcess",
    "tempfile.mkdtemp": "builtins.str",
    "tempfile.NamedTemporaryFile": "io.IOBase",
    "tempfile.TemporaryFile": "io.IOBase",
    "datetime.datetime.now": "datetime.datetime",
    "datetime.datetime.utcnow": "datetime.datetime",
    "datetime.datetime.strptime": "datetime.datetime",
    "datetime.datetime.fromisoformat": "datetime.datetime",
    "psycopg2.connect": "psycopg2.extensions.connection",
    "psycopg2.extensions.connection.cursor": "psycopg2.extensions.cursor",
    "logging.getLogger": "logging.Logger",
    "re.compile": "re.Pattern",
    "builtins.str.encode": "builtins.bytes",
    "builtins.bytes.decode": "builtins.str",
    "builtins.str.split": "builtins.list",
    "builtins.str.join": "builtins.str",
    "builtins.str.strip": "builtins.str",
    "builtins.str.lower": "builtins.str",
    "builtins.str.upper": "builtins.str",
    "builtins.str.replace": "builtins.str",
    "builtins.str.format": "builtins.str",
    "builtins.repr": "builtins.str",
    "builtins.sorted": "builtins.list",
    "builtins.len": "builtins.int",
    "builtins.vars": "builtins.dict",
    "os.path.join": "builtins.str",
    "os.getcwd": "builtins.str",
    "os.getenv": "builtins.str",
    "urllib.request.urlopen": "http.client.HTTPResponse",
    "http.client.HTTPConnection.getresponse": "http.client.HTTPResponse",
}

# Give back what they were given, unchanged or with another name.
TRANSPARENT = {
    "typing.cast": 1,
    "typing_extensions.cast": 1,
    "functools.partial": 0,
    "functools.update_wrapper": 0,
    "functools.lru_cache": 0,
    "functools.cache": 0,
    "functools.singledispatch": 0,
    "functools.total_ordering": 0,
    "functools.wraps()": 0,
    "functools.lru_cache()": 0,
    "abc.abstractmethod": 0,
    "typing.final": 0,
    "typing.override": 0,
    "typing.no_type_check": 0,
    "typing.runtime_checkable": 0,
    "typing_extensions.final": 0,
    "typing_extensions.override": 0,
    "typing_extensions.deprecated()": 0,
    "warnings.deprecated()": 0,
    "types.coroutine": 0,
    "atexit.register": 0,
    "contextlib.closing": 0,
    "contextlib.aclosing": 0,
    "contextlib.nullcontext": 0,
    "contextlib.ExitStack.push": 0,
    "contextlib.ExitStack.callback": 0,
    "builtins.iter": 0,
    "builtins.list": 0,
    "builtins.tuple": 0,
    "builtins.set": 0,
    "builtins.frozenset": 0,
    "builtins.sorted": 0,
    "builtins.reversed": 0,
    "copy.copy": 0,
    "copy.deepcopy": 0,
    "weakref.proxy": 0,
    "asyncio.create_task": 0,
    "asyncio.ensure_future": 0,
    "asyncio.shield": 0,
    "asyncio.wait_for": 0,
    "asyncio.TaskGroup.create_task": 0,
    "asyncio.AbstractEventLoop.create_task": 0,
    "resultflow.do": 0,
    "resultflow._do.do": 0,
    "resultflow.aio.do": 0,
    "unittest.skip()": 0,
    "pytest.fixture": 0,
    "pytest.fixture()": 0,
}

# Iterate over, or await, these arguments.
USED: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        (
            "builtins.list builtins.tuple builtins.set builtins.frozenset builtins.dict "
            "builtins.sum builtins.any builtins.all builtins.min builtins.max builtins.sorted "
            "builtins.next builtins.bytes builtins.bytearray builtins.enumerate "
            "builtins.str.join builtins.bytes.join builtins.list.extend builtins.set.update "
            "builtins.dict.update collections.deque collections.Counter collections.OrderedDict "
            "asyncio.run asyncio.gather asyncio.wait_for itertools.islice itertools.count "
            "asyncio.AbstractEventLoop.run_until_complete asyncio.Runner.run"
        ).split(),
        (0,),
    ),
    "builtins.map": (1,),
    "builtins.filter": (1,),
    "builtins.zip": (0, 1, 2),
    "itertools.chain": (0, 1, 2),
    "functools.reduce": (1,),
    "asyncio.gather": (0, 1, 2, 3),
    "asyncio.TaskGroup.create_task": (0,),
}

# Call these arguments: by position, or by keyword.
CALLED: dict[str, tuple[int | str, ...]] = {
    "builtins.map": (0,),
    "builtins.filter": (0,),
    "builtins.sorted": ("key",),
    "builtins.min": ("key",),
    "builtins.max": ("key",),
    "builtins.list.sort": ("key",),
    "functools.reduce": (0,),
    "builtins.iter": (0,),
    "re.sub": (1,),
    "asyncio.to_thread": (0,),
    "contextvars.Context.run": (0,),
    "contextlib.ExitStack.callback": (0,),
    "contextlib.AsyncExitStack.callback": (0,),
    "json.loads": ("object_hook", "parse_float", "object_pairs_hook"),
    "json.load": ("object_hook", "parse_float", "object_pairs_hook"),
    "json.dumps": ("default",),
    "json.dump": ("default",),
}

# Raise nothing when they are told what to do instead, by a second argument or this keyword.
LENIENT = {
    "builtins.next": "default",
    "builtins.bytes.decode": "errors",
    "builtins.str.encode": "errors",
}

# Enter these arguments, as `with` does.
ENTERED = {
    "contextlib.ExitStack.enter_context": 0,
    "contextlib.AsyncExitStack.enter_context": 0,
    "contextlib.AsyncExitStack.enter_async_context": 0,
}

# Keep what their block raises, where it is one of their arguments.
SUPPRESSING = frozenset(["contextlib.suppress", "pytest.raises"])

# Raise again, at the end of their block, what the surrounding handler has caught.
RERAISING = frozenset(
    [
        "sqlalchemy.util.langhelpers.safe_reraise",
        "oslo_utils.excutils.save_and_reraise_exception",
    ]
)

# Decorators that make values of exceptions.
GIVEN = frozenset(["resultflow.safe", "resultflow._safe.safe", "resultflow.aio.safe"])

# Methods so common that a receiver which is not known tells nothing about them.
COMMON = frozenset(
    name
    for kind in (str, bytes, list, dict, set, tuple, int, float, memoryview)
    for name in dir(kind)
) | frozenset(
    """
    debug info warning error exception critical log isEnabledFor getLogger setLevel addHandler
    group groups start end span match search fullmatch findall finditer sub
    is_alive is_set getvalue cast appendleft popleft add_argument
    __name__ __class__ __init_subclass__ isoformat total_seconds timestamp utcoffset tzinfo
    mro subclasses __subclasses__ with_traceback add_note
    """.split()
)

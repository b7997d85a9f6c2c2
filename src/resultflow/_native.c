/* The fast paths of resultflow: `Ok`, `Err`, `bind`, `@safe` and `collect` in their common cases.

   The Python source is the specification. `adopt` makes a type that stands in for a Python class
   and takes over each of its methods that has no fast path here. A fast path does the common case
   and hands any other to its Python counterpart, arguments and all; so what is refused, and in
   which words, is said once, in Python.

   Ok and Err are written once, before anybody else can hold them, and cannot be subclassed. Like
   tuples they have no tp_clear: a cycle must pass through something that can change, and that
   one breaks it. So their fields are never NULL, and need no lock without a GIL. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <structmember.h>

#ifdef Py_GIL_DISABLED
#define FREE_OKS 0 /* one list for all threads would need a lock */
#else
#define FREE_OKS 64
#endif
#define MAX_FRAMES 16
#define ITEMS_BETWEEN_SIGNALS 4096

/* What Ok and Err begin with, so that one function serves both. */
#define RESULT_HEAD PyObject_HEAD PyObject *content;

typedef struct {
    RESULT_HEAD
} Ok;

typedef struct {
    RESULT_HEAD
    PyObject *older; /* a history, NULL for none ... */
    PyObject *code;  /* ... and its newest entry, a place; NULL when `older` is all there is */
    int offset;
} Err;

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *bind; /* this very object, not counted: `token.bind` is a plain read */
    PyObject *left;
} Token;

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *func;
    PyObject *kinds;
    PyObject *into; /* NULL: the exception itself is the error */
    PyObject *dict;
    PyObject *weakrefs;
} Call;

typedef struct {
    PyTypeObject *ok, *err, *token, *call;
    PyObject *pure_ok, *pure_err, *pure_token, *way_out, *check_then;
    PyObject *failed, *early_return;
    int free_count;
    Ok *free_oks[FREE_OKS + 1];
} State;

/* What a type finds from which the collector has taken the module already, as it does before it
   frees the last Ok when interpreter or package end in one cycle. It is never written to. */
static State ended;

static inline State *
state_in(PyTypeObject *type)
{
    PyObject *module = ((PyHeapTypeObject *)type)->ht_module;
    return module == NULL ? &ended : (State *)PyModule_GetState(module);
}

static inline State *
state_of(PyObject *op)
{
    return state_in(Py_TYPE(op));
}

/* Hand a case over to Python. While the interpreter ends, the module may be empty already. */
static PyObject *
in_python(PyObject *function, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    if (function == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "resultflow is not there yet, or no more: the interpreter is ending");
        return NULL;
    }
    return PyObject_Vectorcall(function, args, PyVectorcall_NARGS(nargsf), kwnames);
}

/* The same for a method, which the Python class has under this name. */
static PyObject *
method_in_python(PyObject *pure, const char *name, PyObject *op, PyObject *const *args,
                 size_t nargsf, PyObject *kwnames)
{
    PyObject *function = pure == NULL ? NULL : PyObject_GetAttrString(pure, name);
    PyObject *method = function == NULL ? NULL : PyMethod_New(function, op);
    PyObject *made = PyErr_Occurred() ? NULL : in_python(method, args, nargsf, kwnames);
    Py_XDECREF(method);
    Py_XDECREF(function);
    return made;
}

/* Ok and Err */

static PyObject *
new_ok(State *state, PyObject *value)
{
    Ok *self;
    if (state->ok == NULL) {
        return in_python(NULL, NULL, 0, NULL);
    }
    if (state->free_count > 0) {
        self = state->free_oks[--state->free_count];
        PyObject_Init((PyObject *)self, state->ok);
    }
    else {
        self = PyObject_GC_New(Ok, state->ok);
        if (self == NULL) {
            return NULL;
        }
    }
    self->content = Py_NewRef(value);
    if (PyObject_IS_GC(value)) { /* what holds nothing is in no cycle, and neither is its Ok */
        PyObject_GC_Track(self);
    }
    return (PyObject *)self;
}

/* Takes over the references to `older` and `code`, also when it fails. */
static PyObject *
new_err(State *state, PyObject *error, PyObject *older, PyObject *code, int offset)
{
    Err *self = state->err == NULL ? (Err *)in_python(NULL, NULL, 0, NULL)
                                   : PyObject_GC_New(Err, state->err);
    if (self == NULL) {
        Py_XDECREF(older);
        Py_XDECREF(code);
        return NULL;
    }
    self->content = Py_NewRef(error);
    self->older = older;
    self->code = code;
    self->offset = offset;
    if (older != NULL || PyObject_IS_GC(error)) {
        PyObject_GC_Track(self);
    }
    return (PyObject *)self;
}

static PyObject *
err_with(State *state, PyObject *error, PyObject *history)
{
    return new_err(state, error, history == Py_None ? NULL : Py_NewRef(history), NULL, 0);
}

static PyObject *
from_pure_ok(State *state, PyObject *pure)
{
    PyObject *value = pure == NULL ? NULL : PyObject_GetAttrString(pure, "value");
    PyObject *self = value == NULL ? NULL : new_ok(state, value);
    Py_XDECREF(value);
    Py_XDECREF(pure);
    return self;
}

static PyObject *
from_pure_err(State *state, PyObject *pure)
{
    PyObject *error = pure == NULL ? NULL : PyObject_GetAttrString(pure, "error");
    PyObject *history = error == NULL ? NULL : PyObject_GetAttrString(pure, "_history");
    PyObject *self = history == NULL ? NULL : err_with(state, error, history);
    Py_XDECREF(history);
    Py_XDECREF(error);
    Py_XDECREF(pure);
    return self;
}

static PyObject *
ok_vectorcall(PyObject *type, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    State *state = state_in((PyTypeObject *)type);
    if (PyVectorcall_NARGS(nargsf) == 1 && kwnames == NULL) {
        return new_ok(state, args[0]);
    }
    return from_pure_ok(state, in_python(state->pure_ok, args, nargsf, kwnames));
}

static PyObject *
err_vectorcall(PyObject *type, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    State *state = state_in((PyTypeObject *)type);
    if (PyVectorcall_NARGS(nargsf) == 1 && kwnames == NULL) {
        PyFrameObject *frame = PyEval_GetFrame(); /* borrowed, and NULL when there is none */
        PyObject *code = frame == NULL ? NULL : (PyObject *)PyFrame_GetCode(frame);
        return new_err(state, args[0], NULL, code, frame == NULL ? 0 : PyFrame_GetLasti(frame));
    }
    return from_pure_err(state, in_python(state->pure_err, args, nargsf, kwnames));
}

/* `Ok.__new__(Ok, ...)`, which `Ok(...)` does not go through; nothing gives an empty one. */
static PyObject *
result_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return PyVectorcall_Call((PyObject *)type, args, kwargs);
}

static int
ok_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((Ok *)op)->content);
    return 0;
}

static int
err_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(((Err *)op)->older);
    Py_VISIT(((Err *)op)->code);
    return ok_traverse(op, visit, arg);
}

static void
ok_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_TRASHCAN_BEGIN(op, ok_dealloc) /* a million nested ones do not need a stack for each */
    Py_DECREF(((Ok *)op)->content); /* may run anything; only then the memory may be used again */
    State *state = state_of(op);
    if (state->ok != NULL && state->free_count < FREE_OKS) {
        state->free_oks[state->free_count++] = (Ok *)op;
    }
    else {
        PyObject_GC_Del(op);
    }
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static void
err_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    /* Tests may give the class a `__del__` (_uninspected.py); nothing else does. */
    if (type->tp_finalize != NULL) {
        if (!PyObject_GC_IsTracked(op)) { /* CPython expects it of what a finalizer resurrects */
            PyObject_GC_Track(op);
        }
        if (PyObject_CallFinalizerFromDealloc(op) < 0) {
            return; /* somebody holds it again */
        }
    }
    PyObject_GC_UnTrack(op);
    Py_TRASHCAN_BEGIN(op, err_dealloc)
    Py_DECREF(((Err *)op)->content);
    Py_XDECREF(((Err *)op)->older);
    Py_XDECREF(((Err *)op)->code);
    PyObject_GC_Del(op);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyObject *
result_richcompare(PyObject *op, PyObject *other, int how)
{
    if (!Py_IS_TYPE(other, Py_TYPE(op)) || (how != Py_EQ && how != Py_NE)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    /* Not RichCompareBool: it takes what is identical for equal, and a NaN is not. */
    PyObject *equal = PyObject_RichCompare(((Ok *)op)->content, ((Ok *)other)->content, Py_EQ);
    int truth = equal == NULL ? -1 : PyObject_IsTrue(equal);
    Py_XDECREF(equal);
    return truth < 0 ? NULL : PyBool_FromLong(truth == (how == Py_EQ));
}

static Py_hash_t
result_hash(PyObject *op)
{
    PyObject *pair = PyTuple_Pack(2, Py_TYPE(op), ((Ok *)op)->content);
    if (pair == NULL || Py_EnterRecursiveCall(" while hashing a Result")) {
        Py_XDECREF(pair);
        return -1;
    }
    Py_hash_t hash = PyObject_Hash(pair);
    Py_LeaveRecursiveCall();
    Py_DECREF(pair);
    return hash;
}

static PyObject *
yes(PyObject *Py_UNUSED(op), PyObject *Py_UNUSED(none))
{
    Py_RETURN_TRUE;
}

static PyObject *
no(PyObject *Py_UNUSED(op), PyObject *Py_UNUSED(none))
{
    Py_RETURN_FALSE;
}

static PyObject *
content(PyObject *op, PyObject *Py_UNUSED(none))
{
    return Py_NewRef(((Ok *)op)->content);
}

static PyObject *
ok_map(PyObject *op, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    State *state = state_of(op);
    if (count != 1 || kwnames != NULL) {
        return method_in_python(state->pure_ok, "map", op, args, count, kwnames);
    }
    PyObject *value = PyObject_CallOneArg(args[0], ((Ok *)op)->content);
    if (value == NULL) {
        return NULL;
    }
    PyObject *ok = new_ok(state, value);
    Py_DECREF(value);
    return ok;
}

static PyObject *
ok_and_then(PyObject *op, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    State *state = state_of(op);
    if (count != 1 || kwnames != NULL) {
        return method_in_python(state->pure_ok, "and_then", op, args, count, kwnames);
    }
    PyObject *made = PyObject_CallOneArg(args[0], ((Ok *)op)->content);
    if (made == NULL || Py_IS_TYPE(made, state->ok) || Py_IS_TYPE(made, state->err)) {
        return made;
    }
    PyObject *told[] = {args[0], made};
    PyObject *checked = in_python(state->check_then, told, 2, NULL);
    if (checked == NULL) {
        Py_CLEAR(made);
    }
    Py_XDECREF(checked);
    return made;
}

static PyObject *
err_history(PyObject *op, void *Py_UNUSED(closure))
{
    Err *self = (Err *)op;
    PyObject *older = self->older == NULL ? Py_None : self->older;
    if (self->code == NULL) {
        return Py_NewRef(older);
    }
    return Py_BuildValue("(O(Oi))", older, self->code, self->offset);
}

/* Signatures and no more: `inspect` and `help` find the rest on the base class. */
static PyMethodDef ok_methods[] = {
    {"is_ok", yes, METH_NOARGS, "is_ok($self)\n--\n\n"},
    {"is_err", no, METH_NOARGS, "is_err($self)\n--\n\n"},
    {"unwrap", content, METH_NOARGS, "unwrap($self)\n--\n\n"},
    {"map", (PyCFunction)(void (*)(void))ok_map, METH_FASTCALL | METH_KEYWORDS,
     "map($self, f)\n--\n\n"},
    {"and_then", (PyCFunction)(void (*)(void))ok_and_then, METH_FASTCALL | METH_KEYWORDS,
     "and_then($self, f)\n--\n\n"},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef err_methods[] = {
    {"is_ok", no, METH_NOARGS, "is_ok($self)\n--\n\n"},
    {"is_err", yes, METH_NOARGS, "is_err($self)\n--\n\n"},
    {"unwrap_err", content, METH_NOARGS, "unwrap_err($self)\n--\n\n"},
    {NULL, NULL, 0, NULL},
};

/* T_OBJECT_EX: the only kind of member that CPython reads without a call. */
static PyMemberDef ok_members[] = {
    {"value", T_OBJECT_EX, offsetof(Ok, content), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMemberDef err_members[] = {
    {"error", T_OBJECT_EX, offsetof(Err, content), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef err_getset[] = {
    {"_history", err_history, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot ok_slots[] = {
    {Py_tp_doc, "Ok(value)\n--\n\n"},
    {Py_tp_new, result_new},
    {Py_tp_dealloc, ok_dealloc},
    {Py_tp_traverse, ok_traverse},
    {Py_tp_richcompare, result_richcompare},
    {Py_tp_hash, result_hash},
    {Py_tp_methods, ok_methods},
    {Py_tp_members, ok_members},
    {0, NULL},
};

static PyType_Slot err_slots[] = {
    {Py_tp_doc, "Err(error)\n--\n\n"},
    {Py_tp_new, result_new},
    {Py_tp_dealloc, err_dealloc},
    {Py_tp_traverse, err_traverse},
    {Py_tp_richcompare, result_richcompare},
    {Py_tp_hash, result_hash},
    {Py_tp_methods, err_methods},
    {Py_tp_members, err_members},
    {Py_tp_getset, err_getset},
    {0, NULL},
};

static PyType_Spec ok_spec = {
    .name = "resultflow._result.Ok",
    .basicsize = sizeof(Ok),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = ok_slots,
};

static PyType_Spec err_spec = {
    .name = "resultflow._result.Err",
    .basicsize = sizeof(Err),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = err_slots,
};

/* Token: one call of a `@do` function */

static PyObject *
token_bind(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    State *state = state_of(op);
    int plain = PyVectorcall_NARGS(nargsf) == 1 && kwnames == NULL;
    if (plain && Py_IS_TYPE(args[0], state->ok)) {
        return Py_NewRef(((Ok *)args[0])->content);
    }
    PyObject *frame = plain ? (PyObject *)PyEval_GetFrame() : NULL; /* borrowed */
    if (frame == NULL) {
        return method_in_python(state->pure_token, "bind", op, args, nargsf, kwnames);
    }
    PyObject *told[] = {op, args[0], frame};
    PyObject *way_out = in_python(state->way_out, told, 3, NULL);
    if (way_out != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(way_out), way_out);
        Py_DECREF(way_out);
    }
    return NULL;
}

static PyObject *
token_vectorcall(PyObject *type, PyObject *const *Py_UNUSED(args), size_t nargsf,
                 PyObject *kwnames)
{
    if (PyVectorcall_NARGS(nargsf) != 0 || kwnames != NULL) {
        PyErr_SetString(PyExc_TypeError, "Token() takes no arguments");
        return NULL;
    }
    Token *self = PyObject_GC_New(Token, (PyTypeObject *)type);
    if (self == NULL) {
        return NULL;
    }
    self->vectorcall = token_bind;
    self->bind = (PyObject *)self;
    self->left = Py_NewRef(Py_None);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int
token_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((Token *)op)->left);
    return 0;
}

static int
token_clear(PyObject *op)
{
    Py_CLEAR(((Token *)op)->left);
    return 0;
}

static void
token_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    token_clear(op);
    PyObject_GC_Del(op);
    Py_DECREF(type);
}

static PyMemberDef token_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Token, vectorcall), READONLY, NULL},
    {"bind", T_OBJECT_EX, offsetof(Token, bind), READONLY, NULL},
    {"left", T_OBJECT_EX, offsetof(Token, left), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot token_slots[] = {
    {Py_tp_dealloc, token_dealloc},
    {Py_tp_traverse, token_traverse},
    {Py_tp_clear, token_clear},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, token_members},
    {0, NULL},
};

static PyType_Spec token_spec = {
    .name = "resultflow._do.Token",
    .basicsize = sizeof(Token),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = token_slots,
};

/* Call: what `@safe` makes of a function */

/* Whether an exception holds no other one that `capture` would have to look at. */
static int
is_plain(PyBaseExceptionObject *exc, PyObject *outer)
{
    if (exc->cause != NULL || (exc->context != NULL && exc->context != outer) ||
        PyObject_TypeCheck((PyObject *)exc, (PyTypeObject *)PyExc_BaseExceptionGroup) ||
        exc->args == NULL || !PyTuple_CheckExact(exc->args)) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(exc->args); i++) {
        if (PyExceptionInstance_Check(PyTuple_GET_ITEM(exc->args, i))) {
            return 0;
        }
    }
#ifdef Py_GIL_DISABLED
    return exc->dict == NULL; /* another thread might be changing it */
#else
    PyObject *value;
    Py_ssize_t at = 0;
    while (exc->dict != NULL && PyDict_Next(exc->dict, &at, NULL, &value)) {
        if (PyExceptionInstance_Check(value)) {
            return 0;
        }
    }
    return 1;
#endif
}

/* `capture` and `err_with` in one: the Err of an exception, which loses its traceback. NULL with
   no exception set: that is for Python to do, and nothing has been touched. */
static PyObject *
captured(State *state, PyObject *exc, PyObject *outer)
{
    PyBaseExceptionObject *base = (PyBaseExceptionObject *)exc;
    struct {
        PyObject *code; /* counted: what is allocated later may start the collector, and a
                           finalizer can take the traceback apart */
        int offset;
    } places[MAX_FRAMES];
    int count = 0;
    if (!is_plain(base, outer)) {
        return NULL;
    }
    PyObject *at = base->traceback;
    for (; at != NULL && PyTraceBack_Check(at);
         at = (PyObject *)((PyTracebackObject *)at)->tb_next) {
        if (count == MAX_FRAMES) {
            goto give_back;
        }
        places[count].code = (PyObject *)PyFrame_GetCode(((PyTracebackObject *)at)->tb_frame);
        places[count++].offset = ((PyTracebackObject *)at)->tb_lasti;
    }
    PyObject *older = NULL, *code = NULL;
    int offset = 0;
    while (count-- > 0) { /* the innermost first: it is the oldest entry */
        if (code != NULL) {
            PyObject *longer = Py_BuildValue("(O(Ni))", older ? older : Py_None, code, offset);
            Py_XDECREF(older);
            if (longer == NULL) {
                count++;
                goto give_back;
            }
            older = longer;
        }
        code = places[count].code;
        offset = places[count].offset;
    }
    PyObject *err = new_err(state, exc, older, code, offset);
    if (err != NULL) {
        PyException_SetTraceback(exc, Py_None);
        if (base->context != NULL) { /* `outer`, as `is_plain` saw */
            PyException_SetContext(exc, NULL);
        }
    }
    return err;

give_back:
    while (count-- > 0) {
        Py_DECREF(places[count].code);
    }
    return NULL;
}

static PyObject *
raised_exception(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *kind, *value, *traceback;
    PyErr_Fetch(&kind, &value, &traceback);
    PyErr_NormalizeException(&kind, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(kind);
    Py_XDECREF(traceback);
    return value;
#endif
}

static PyObject *
call_vectorcall(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    Call *self = (Call *)op;
    State *state = state_of(op);
    PyObject *value = PyObject_Vectorcall(self->func, args, nargsf, kwnames);
    if (value != NULL) {
        PyObject *ok = new_ok(state, value);
        Py_DECREF(value);
        return ok;
    }
    if (!PyErr_ExceptionMatches(self->kinds) ||
        (state->early_return != NULL && PyErr_ExceptionMatches(state->early_return))) {
        return NULL;
    }
    PyObject *err = NULL;
    PyObject *exc = raised_exception();
    if (self->into == NULL) {
        PyObject *outer = PyErr_GetHandledException(); /* what our caller is handling, or NULL */
        err = captured(state, exc, outer);
        Py_XDECREF(outer);
    }
    if (err == NULL && !PyErr_Occurred()) {
        PyObject *traceback = PyException_GetTraceback(exc);
        PyObject *told[] = {exc, traceback ? traceback : Py_None, self->into ? self->into : Py_None};
        err = in_python(state->failed, told, 3, NULL);
        Py_XDECREF(traceback);
    }
    Py_DECREF(exc);
    return err;
}

static PyObject *
call_get(PyObject *op, PyObject *instance, PyObject *Py_UNUSED(owner))
{
    return instance == NULL || instance == Py_None ? Py_NewRef(op) : PyMethod_New(op, instance);
}

static int
call_traverse(PyObject *op, visitproc visit, void *arg)
{
    Call *self = (Call *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->func);
    Py_VISIT(self->kinds);
    Py_VISIT(self->into);
    Py_VISIT(self->dict);
    return 0;
}

/* `func` and `kinds` stay: a call that is under way, or a finalizer's, must find them. A cycle
   through `func` goes through its cells or its globals, which break it. */
static int
call_clear(PyObject *op)
{
    Py_CLEAR(((Call *)op)->dict);
    return 0;
}

static void
call_dealloc(PyObject *op)
{
    Call *self = (Call *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_TRASHCAN_BEGIN(op, call_dealloc)
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(op);
    }
    Py_CLEAR(self->dict);
    Py_DECREF(self->func);
    Py_DECREF(self->kinds);
    Py_XDECREF(self->into);
    PyObject_GC_Del(op);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

/* A function is pickled by its name, and copied as it is, also where it has none. */
static PyObject *
call_reduce(PyObject *op, PyObject *Py_UNUSED(none))
{
    return PyObject_GetAttrString(op, "__qualname__");
}

static PyObject *
call_copy(PyObject *op, PyObject *Py_UNUSED(memo))
{
    return Py_NewRef(op);
}

static PyMethodDef call_methods[] = {
    {"__reduce__", call_reduce, METH_NOARGS, NULL},
    {"__copy__", call_copy, METH_NOARGS, NULL},
    {"__deepcopy__", call_copy, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef call_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Call, vectorcall), READONLY, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(Call, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Call, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef call_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot call_slots[] = {
    {Py_tp_dealloc, call_dealloc},
    {Py_tp_traverse, call_traverse},
    {Py_tp_clear, call_clear},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_descr_get, call_get},
    {Py_tp_methods, call_methods},
    {Py_tp_members, call_members},
    {Py_tp_getset, call_getset},
    {0, NULL},
};

static PyType_Spec call_spec = {
    .name = "resultflow._safe.Call",
    .basicsize = sizeof(Call),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = call_slots,
};

/* The module */

static int
take_over(PyTypeObject *type, PyTypeObject *pure)
{
    PyObject *name, *member;
    Py_ssize_t at = 0;
    while (PyDict_Next(pure->tp_dict, &at, &name, &member)) {
        int skip = PyDict_Contains(type->tp_dict, name);
        if (PyUnicode_CompareWithASCIIString(name, "__doc__") == 0) {
            skip = 0; /* CPython has put what is left of tp_doc there */
        }
        if (PyUnicode_CompareWithASCIIString(name, "__init__") == 0) {
            skip = 1; /* the constructor's part is done here */
        }
        if (skip < 0 || (!skip && PyObject_SetAttr((PyObject *)type, name, member) < 0)) {
            return -1;
        }
    }
    return 0;
}

static PyTypeObject *
stand_in(PyObject *module, PyType_Spec *spec, PyTypeObject *pure, vectorcallfunc vectorcall)
{
    PyTypeObject *type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, pure->tp_bases);
    if (type != NULL) {
        type->tp_vectorcall = vectorcall;
        PyObject *name = PyType_GetName(pure); /* CPython's errors would name the module, too */
        if (name == NULL || PyObject_SetAttrString((PyObject *)type, "__name__", name) < 0 ||
            take_over(type, pure) < 0) {
            Py_CLEAR(type);
        }
        Py_XDECREF(name);
    }
    return type;
}

/* adopt_results(Ok, Err, check_then) -> types to stand in for the two classes */
static PyObject *
adopt_results(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    PyTypeObject *pure_ok, *pure_err;
    PyObject *check_then;
    if (!PyArg_ParseTuple(args, "O!O!O", &PyType_Type, &pure_ok, &PyType_Type, &pure_err,
                          &check_then)) {
        return NULL;
    }
    PyTypeObject *ok = stand_in(module, &ok_spec, pure_ok, ok_vectorcall);
    PyTypeObject *err = ok ? stand_in(module, &err_spec, pure_err, err_vectorcall) : NULL;
    if (err == NULL) {
        Py_XDECREF(ok);
        return NULL;
    }
    Py_XSETREF(state->ok, ok);
    Py_XSETREF(state->err, err);
    Py_XSETREF(state->pure_ok, Py_NewRef(pure_ok));
    Py_XSETREF(state->pure_err, Py_NewRef(pure_err));
    Py_XSETREF(state->check_then, Py_NewRef(check_then));
    return PyTuple_Pack(2, ok, err);
}

/* adopt_token(Token) -> a type to stand in for the class */
static PyObject *
adopt_token(PyObject *module, PyObject *pure)
{
    State *state = PyModule_GetState(module);
    PyObject *way_out = PyObject_GetAttrString(pure, "way_out");
    if (way_out == NULL) {
        return NULL;
    }
    Py_XSETREF(state->pure_token, Py_NewRef(pure));
    Py_XSETREF(state->way_out, way_out);
    Py_XSETREF(state->token, stand_in(module, &token_spec, (PyTypeObject *)pure, token_vectorcall));
    return Py_XNewRef(state->token);
}

/* adopt_call(failed, EarlyReturn): what is done with an exception that `safe` leaves alone */
static PyObject *
adopt_call(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    PyObject *failed, *early_return;
    PyObject *type = PyType_FromModuleAndSpec(module, &call_spec, NULL);
    if (type == NULL || !PyArg_ParseTuple(args, "OO", &failed, &early_return)) {
        Py_XDECREF(type);
        return NULL;
    }
    Py_XSETREF(state->call, (PyTypeObject *)type);
    Py_XSETREF(state->failed, Py_NewRef(failed));
    Py_XSETREF(state->early_return, Py_NewRef(early_return));
    Py_RETURN_NONE;
}

/* safe(func, kinds, into) -> the wrapper of `func` */
static PyObject *
safe(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    PyObject *func, *kinds, *into;
    if (!PyArg_ParseTuple(args, "OOO", &func, &kinds, &into)) {
        return NULL;
    }
    Call *self = state->call == NULL ? (Call *)in_python(NULL, NULL, 0, NULL)
                                     : PyObject_GC_New(Call, state->call);
    if (self == NULL) {
        return NULL;
    }
    self->vectorcall = call_vectorcall;
    self->func = Py_NewRef(func);
    self->kinds = Py_NewRef(kinds);
    self->into = into == Py_None ? NULL : Py_NewRef(into);
    self->dict = NULL;
    self->weakrefs = NULL;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

/* err_with(error, history) -> Err */
static PyObject *
make_err(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "err_with takes an error and a history");
        return NULL;
    }
    return err_with(PyModule_GetState(module), args[0], args[1]);
}

/* take(results, values, errs) -> None, or a tuple of the item at which it stopped */
static PyObject *
take(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    PyObject *results, *values, *errs;
    if (!PyArg_ParseTuple(args, "OO!O", &results, &PyList_Type, &values, &errs)) {
        return NULL;
    }
    PyObject *items = PyObject_GetIter(results);
    if (items == NULL) {
        return NULL;
    }
    PyObject *item, *stopped = NULL;
    int failed = 0;
    for (Py_ssize_t taken = 1; !failed && (item = PyIter_Next(items)) != NULL; taken++) {
        if (Py_IS_TYPE(item, state->ok)) {
            failed = PyList_Append(values, ((Ok *)item)->content);
        }
        else if (Py_IS_TYPE(item, state->err) && errs != Py_None) {
            failed = PyList_Append(errs, item);
        }
        else {
            stopped = PyTuple_Pack(1, item);
            failed = 1;
        }
        Py_DECREF(item);
        if (!failed && taken % ITEMS_BETWEEN_SIGNALS == 0) { /* they may come without an end */
            failed = PyErr_CheckSignals();
        }
    }
    Py_DECREF(items);
    if (stopped != NULL || PyErr_Occurred()) {
        return stopped;
    }
    Py_RETURN_NONE;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->ok);
    Py_VISIT(state->err);
    Py_VISIT(state->token);
    Py_VISIT(state->call);
    Py_VISIT(state->pure_ok);
    Py_VISIT(state->pure_err);
    Py_VISIT(state->pure_token);
    Py_VISIT(state->way_out);
    Py_VISIT(state->check_then);
    Py_VISIT(state->failed);
    Py_VISIT(state->early_return);
    return 0;
}

static int
module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->ok);
    Py_CLEAR(state->err);
    Py_CLEAR(state->token);
    Py_CLEAR(state->call);
    Py_CLEAR(state->pure_ok);
    Py_CLEAR(state->pure_err);
    Py_CLEAR(state->pure_token);
    Py_CLEAR(state->way_out);
    Py_CLEAR(state->check_then);
    Py_CLEAR(state->failed);
    Py_CLEAR(state->early_return);
    return 0;
}

/* Each Ok holds its type, and that the module: nothing can be put on the list any more, and the
   type of what is on it may be gone. To free memory, CPython asks only where it begins, which is
   where a tuple's does. */
static void
module_free(void *module)
{
    State *state = PyModule_GetState((PyObject *)module);
    module_clear((PyObject *)module);
    while (state->free_count > 0) {
        Ok *ok = state->free_oks[--state->free_count];
        Py_SET_TYPE((PyObject *)ok, &PyTuple_Type);
        PyObject_GC_Del(ok);
    }
}

static PyMethodDef module_methods[] = {
    {"adopt_results", adopt_results, METH_VARARGS, NULL},
    {"adopt_token", adopt_token, METH_O, NULL},
    {"adopt_call", adopt_call, METH_VARARGS, NULL},
    {"safe", safe, METH_VARARGS, NULL},
    {"err_with", (PyCFunction)(void (*)(void))make_err, METH_FASTCALL, NULL},
    {"take", take, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "resultflow._native",
    .m_size = sizeof(State),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&module_def);
}

using System.Text;

namespace Tidegate.Policies.Limits.Signals;

/// <summary>The fields that are read from a provider's answers: those that many share, and its own. Made once, when the configuration is compiled.</summary>
internal sealed class SignalDialect
{
    /// <summary>For providers that nothing more is known of.</summary>
    public static readonly SignalDialect Common = new([], [], null, null);

    private readonly Entry[][] _byLength;
    private readonly WindowContent[] _contents;
    private readonly Dictionary<ulong, WindowSource> _sources = [];

    /// <param name="windows">The provider's own; they win over those that many share.</param>
    /// <param name="errors">In the order in which they are tried.</param>
    /// <param name="bucketField">The field that names the bucket; null when there is none.</param>
    /// <param name="globalField">The field whose <c>true</c> or <c>global</c> says that a refusal is about everything; null when there is none.</param>
    public SignalDialect(IReadOnlyList<WindowForm> windows, IReadOnlyList<ErrorClass> errors, string? bucketField, string? globalField)
    {
        Errors = [.. errors];
        _contents = [.. windows.Select(form => form.Content).OfType<WindowContent>()];
        ReadsContent = errors.Any(error => error.Code is not null);
        var entries = new Dictionary<string, Entry>(StringComparer.OrdinalIgnoreCase);
        foreach (var form in windows.Concat(WindowForm.Common))
        {
            _sources.TryAdd(SignalName.Of(Encoding.UTF8.GetBytes(form.Name)), WindowSource.Of(form));
            Add(form, SignalRole.Limit, form.Limit);
            Add(form, SignalRole.Remaining, form.Remaining);
            Add(form, SignalRole.Used, form.Used);
            Add(form, SignalRole.Reset, form.Reset);
            Add(form, SignalRole.ResetAfter, form.ResetAfter);
            Add(form, SignalRole.UsedOfLimit, form.UsedOfLimit);
        }

        Add(null, SignalRole.RateLimit, ["ratelimit"]);
        Add(null, SignalRole.Policy, ["ratelimit-policy"]);
        Add(null, SignalRole.Bucket, bucketField is null ? [] : [bucketField]);
        Add(null, SignalRole.Global, globalField is null ? [] : [globalField]);
        _byLength = new Entry[entries.Keys.Max(name => name.Length) + 1][];
        for (var length = 0; length < _byLength.Length; length++)
        {
            _byLength[length] = [.. entries.Values.Where(entry => entry.Name.Length == length)];
        }

        void Add(WindowForm? form, SignalRole role, IReadOnlyList<string> names)
        {
            foreach (var name in names)
            {
                entries.TryAdd(name, new Entry(Encoding.ASCII.GetBytes(name), role, form is null ? 0 : SignalName.Of(Encoding.UTF8.GetBytes(form.Name)), form));
            }
        }
    }

    public ErrorClass[] Errors { get; }

    /// <summary>The names of all fields that are read.</summary>
    public byte[][] FieldNames => [.. _byLength.SelectMany(static entries => entries).Select(static entry => entry.Name)];

    /// <summary>Whether some error class needs the content of an answer.</summary>
    public bool ReadsContent { get; }

    /// <summary>What a window is called, and where it is told of. Structured fields name theirs themselves, and of a name only its number is kept.</summary>
    public WindowSource SourceOf(ulong window) => _sources.TryGetValue(window, out var source) ? source : WindowSource.Structured;

    /// <summary>The window that calls to this path are counted in and that content tells of; null when fields do.</summary>
    public WindowContent? ContentOf(string path)
    {
        foreach (var content in _contents)
        {
            if (content.IsFor(path))
            {
                return content;
            }
        }

        return null;
    }

    /// <summary>What a field says; null when it is none of these.</summary>
    public Entry? Find(ReadOnlySpan<byte> name)
    {
        if (name.Length >= _byLength.Length)
        {
            return null;
        }

        foreach (var entry in _byLength[name.Length])
        {
            if (Ascii.EqualsIgnoreCase(name, entry.Name))
            {
                return entry;
            }
        }

        return null;
    }

    /// <summary>One field.</summary>
    /// <param name="Name">Of the field.</param>
    /// <param name="Role">What it says.</param>
    /// <param name="Window">Of which window; 0 when of none, or of those that it names itself.</param>
    /// <param name="Form">How the window is told of.</param>
    internal sealed record Entry(byte[] Name, SignalRole Role, ulong Window, WindowForm? Form);
}

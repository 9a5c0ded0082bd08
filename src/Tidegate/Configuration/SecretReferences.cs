using System.Text;

namespace Tidegate.Configuration;

/// <summary>
/// Resolves <c>${env:NAME}</c>, <c>${file:path}</c> and <c>${secret:name}</c> inside values. A secret is a file of that name in
/// <c>$TIDEGATE_SECRETS_DIRECTORY</c> or <c>$CREDENTIALS_DIRECTORY</c> (systemd), else the environment variable <c>TIDEGATE_SECRET_NAME</c>.
/// </summary>
/// <param name="environment">Looks up an environment variable.</param>
internal sealed class SecretReferences(Func<string, string?> environment)
{
    // More than any key or certificate that stands inside a value; keeps a wrong path from filling the memory.
    private const int MaxFileBytes = 64 * 1024;

    // Anything shorter would be found in half of all sentences, and is no secret.
    private const int ShortestMasked = 4;

    private readonly Dictionary<string, string> _resolved = [];

    /// <summary>A text in which every value that was resolved stands as its reference again: problems are shown, and a reference may be a secret.</summary>
    public string Mask(string text)
    {
        foreach (var (value, reference) in _resolved)
        {
            text = text.Replace(value, reference, StringComparison.OrdinalIgnoreCase);
        }

        return text;
    }

    /// <summary>Resolves every reference in a value.</summary>
    /// <returns>The value and null, or null and what is wrong.</returns>
    public (string? Value, string? Problem) Resolve(string text, string directory)
    {
        var result = new StringBuilder();
        var position = 0;
        while (true)
        {
            var start = text.IndexOf("${", position, StringComparison.Ordinal);
            if (start < 0)
            {
                return (result.Append(text, position, text.Length - position).ToString(), null);
            }

            var end = text.IndexOf('}', start);
            if (end < 0)
            {
                return (null, "a reference that starts with '${' needs a closing '}'");
            }

            var (value, problem) = Lookup(text[(start + 2)..end], directory);
            if (problem is not null)
            {
                return (null, problem);
            }

            if (value!.Length >= ShortestMasked)
            {
                _resolved[value] = text[start..(end + 1)];
            }

            result.Append(text, position, start - position).Append(value);
            position = end + 1;
        }
    }

    private (string? Value, string? Problem) Lookup(string reference, string directory)
    {
        var colon = reference.IndexOf(':');
        var name = reference[(colon + 1)..].Trim();
        if (colon < 0 || name.Length == 0 || name.Contains('\0', StringComparison.Ordinal))
        {
            return (null, $"'${{{reference}}}' is no reference; write ${{env:NAME}}, ${{file:path}} or ${{secret:name}}");
        }

        return reference[..colon].Trim() switch
        {
            "env" => environment(name) is { } value ? (value, null) : (null, $"the environment variable '{name}' is not set"),
            "file" => Read(Path.Combine(directory, name)),
            "secret" => Secret(name),
            var kind => (null, $"'{kind}' is no kind of reference; use env, file or secret"),
        };
    }

    private (string? Value, string? Problem) Secret(string name)
    {
        if (name.AsSpan().IndexOfAny("/\\") >= 0 || name.StartsWith('.'))
        {
            return (null, $"the secret name '{name}' must be a plain file name");
        }

        foreach (var variable in (ReadOnlySpan<string>)["TIDEGATE_SECRETS_DIRECTORY", "CREDENTIALS_DIRECTORY"])
        {
            if (environment(variable) is { Length: > 0 } directory && File.Exists(Path.Combine(directory, name)))
            {
                return Read(Path.Combine(directory, name));
            }
        }

        var fallback = "TIDEGATE_SECRET_" + name.ToUpperInvariant().Replace('-', '_').Replace('.', '_');
        return environment(fallback) is { } value
            ? (value, null)
            : (null, $"the secret '{name}' cannot be found; put it into a file of that name in $TIDEGATE_SECRETS_DIRECTORY, or set {fallback}");
    }

    private static (string? Value, string? Problem) Read(string path)
    {
        try
        {
            // Devices and pipes have no length that could be asked for beforehand.
            using var file = File.OpenRead(path);
            var bytes = new byte[MaxFileBytes + 1];
            var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > MaxFileBytes)
            {
                return (null, $"the file '{path}' is larger than {MaxFileBytes / 1024}KB, too large for a value");
            }

            using var text = new StreamReader(new MemoryStream(bytes, 0, length), Encoding.UTF8, detectEncodingFromByteOrderMarks: true);
            return (text.ReadToEnd().TrimEnd('\r', '\n'), null);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return (null, $"the file '{path}' cannot be read: {unreadable.Message}");
        }
    }
}

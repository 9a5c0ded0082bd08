using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits.Signals;

/// <summary>What a provider means by a status, alone or together with a field or with a code in its content.</summary>
internal sealed class ErrorClass
{
    /// <param name="status">The status that it is about.</param>
    /// <param name="kind">What it means.</param>
    /// <param name="header">A field that must be there; null for any answer.</param>
    /// <param name="value">What the field must be, in any case; null for anything.</param>
    /// <param name="code">A string or number that must stand in the JSON content under code, type, reason, status, error or a name that ends so; null for any content.</param>
    /// <param name="path">What the call's path must end with, together with a code; null for any.</param>
    public ErrorClass(int status, ProviderSignal kind, string? header = null, string? value = null, string? code = null, string? path = null)
    {
        Status = status;
        Kind = kind;
        Header = header is null ? null : Encoding.ASCII.GetBytes(header);
        Value = value is null ? null : Encoding.ASCII.GetBytes(value);
        Path = path;
        Code = code is null ? null : Encoding.UTF8.GetBytes(code);
    }

    public int Status { get; }

    public ProviderSignal Kind { get; }

    public byte[]? Header { get; }

    public byte[]? Value { get; }

    public byte[]? Code { get; }

    /// <summary>What the call's path must end with; null for any.</summary>
    public string? Path { get; }

    /// <summary>Whether it may be told by the content of an answer to such a call.</summary>
    public bool NeedsContent(int status, HeaderList fields, string path) => Code is not null && (Path is null || path.EndsWith(Path, StringComparison.Ordinal)) && Fits(status, fields);

    /// <summary>Whether status and fields fit; the code is looked for in the content.</summary>
    public bool Fits(int status, HeaderList fields) =>
        status == Status && (Header is null || (fields.TryGet(Header, out var value) && (Value is null || Ascii.EqualsIgnoreCase(value, Value))));
}

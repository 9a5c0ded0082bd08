namespace Tidegate.EndToEndTests.Clients;

/// <summary>A request as it arrived at the upstream.</summary>
/// <param name="Method">As sent.</param>
/// <param name="Target">As sent, with its query.</param>
/// <param name="Protocol">For example <c>HTTP/1.1</c>.</param>
/// <param name="Host">Host or <c>:authority</c>.</param>
/// <param name="Fields">By name; several values of one name are joined.</param>
/// <param name="ContentBytes">How much content came.</param>
/// <param name="ContentHash">Its SHA-256, hexadecimal.</param>
internal sealed record ReceivedRequest(string Method, string Target, string Protocol, string Host, IReadOnlyDictionary<string, string> Fields, long ContentBytes, string ContentHash)
{
    /// <summary>A field's value; empty when it did not come.</summary>
    public string Field(string name) => Fields.GetValueOrDefault(name, "");
}

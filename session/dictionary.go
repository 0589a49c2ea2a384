package session

// dictionary is what the deflated claims of a token may refer to before they have said anything: the claims that OpenID
// Connect Core §2 and §5.1, RFC 9068 and common providers use, in the orders in which they write them. It is part of format
// version 1 and never changes; another dictionary is another version. Text near the end is cheapest to refer to.
var dictionary = []byte(dictionaryText)

const dictionaryText = `` +
	`"groups":["],"wids":["],"xms_tcdt":16,"rh":"0.A","uti":","ipaddr":","unique_name":","upn":","oid":","tid":"` +
	`","idp":"https://sts.windows.net/","iss":"https://login.microsoftonline.com//v2.0","aio":","acct":0,"app_displayname":"` +
	`","appid":","appidacr":"1","azpacr":"1","idtyp":"user","puid":"1003","family_name":","given_name":","scp":"openid profile email User.Read` +
	`","http://schemas.microsoft.com/","https://accounts.google.com","hd":","at_hash":","c_hash":","amr":["pwd","mfa","otp"],"acr":"1","auth_time":1` +
	`,"phone_number":","phone_number_verified":true,"zoneinfo":"Europe/Berlin","locale":"en-US","locale":"de","updated_at":` +
	`,"picture":"https://,"website":","address":{"formatted":","country":"},"birthdate":","gender":","nickname":","cid":","ver":1,"uid":"` +
	`,"permissions":["],"role":["],"roles":["admin","user","offline_access","uma_authorization","default-roles-"]` +
	`},"resource_access":{"account":{"roles":["manage-account","manage-account-links","view-profile"]}},"realm_access":{"roles":["` +
	`{"alg":"RS256","typ":"at+jwt","kid":"{"alg":"HS512","typ" : "JWT","kid" : "{"alg":"ES256","typ":"JWT","kid":"` +
	`{"typ":"JWT","alg":"RS256","x5t":"{"kid":"","alg":"RS256"}{"alg":"RS256","typ" : "JWT","kid" : "` +
	`"}{"exp":17,"iat":17,"nbf":17,"auth_time":17,"jti":"onrtac:","jti":"","iss":"https:///realms/","aud":["account"],"aud":"` +
	`account","sub":"","typ":"Refresh","typ":"ID","typ":"Bearer","azp":"","nonce":"","client_id":","session_state":","sid":"` +
	`","at_hash":"","acr":"1","allowed-origins":["https://"],"realm_access":{"roles":["offline_access","uma_authorization"]}` +
	`,"resource_access":{"account":{"roles":["manage-account","manage-account-links","view-profile"]}},"scope":"openid profile email offline_access` +
	`","email_verified":true,"name":"","preferred_username":"","given_name":"","family_name":"","email":"@example.com"}`
